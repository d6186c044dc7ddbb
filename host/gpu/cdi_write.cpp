// SPDX-License-Identifier: Apache-2.0
// Our inventory as a CDI spec, for other container runtimes on this machine. Numbers are left out:
// whoever applies it reads them from the nodes, and they change with each boot.
#include "base/files.h"
#include "host/gpu/cdi.h"

#include <algorithm>

namespace berth::gpu::cdi {
namespace {

Json edits_of(const std::vector<DeviceNode>& nodes) {
    Json list = Json::array();
    for (const auto& node : nodes) list.push_back({{"path", node.path}});
    return {{"deviceNodes", std::move(list)}};
}

void add_device(Json& devices, std::vector<DeviceNode>& all, const Gpu& gpu, const Chosen& chosen,
                const Roots& roots) {
    const auto nodes = nodes_of(gpu, chosen, roots);
    if (!nodes) return;
    auto name = chosen.to_string();
    std::ranges::replace(name, '/', '-');
    devices.push_back({{"name", std::move(name)}, {"containerEdits", edits_of(*nodes)}});
    all.insert(all.end(), nodes->begin(), nodes->end());
}

}  // namespace

Result<Json> spec_of(std::span<const Gpu> inventory, const Roots& roots) {
    Json devices = Json::array();
    std::vector<DeviceNode> all;
    for (const auto& gpu : inventory) {
        if (!gpu.real()) continue;
        add_device(devices, all, gpu, {.address = gpu.address}, roots);
        if (!gpu.nvidia) continue;
        for (const auto& one : gpu.nvidia->mig)
            add_device(
                devices, all, gpu,
                {.address = gpu.address, .mig = std::pair(one.gpu_instance, one.compute_instance)},
                roots);
    }
    if (devices.empty())
        return fail(make_error(ErrorCode::unavailable, "no GPU of this host can be given away")
                        .call("gpu_list", Json::object()));
    std::ranges::sort(all, {}, &DeviceNode::path);
    const auto repeated = std::ranges::unique(all, {}, &DeviceNode::path);
    all.erase(repeated.begin(), repeated.end());
    devices.push_back({{"name", "all"}, {"containerEdits", edits_of(all)}});
    // The oldest version that has names which begin with a digit.
    return Json{{"cdiVersion", "0.5.0"}, {"kind", own_kind}, {"devices", std::move(devices)}};
}

Result<> write_spec(const Json& spec, const std::filesystem::path& path) {
    BERTH_TRY(parse_spec(to_text(spec)));  // what we could not read, nobody else should have to
    BERTH_TRY(make_directories(path.parent_path()));
    return write_file_atomically(path, to_pretty_text(spec) + "\n");
}

}  // namespace berth::gpu::cdi
