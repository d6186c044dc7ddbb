// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/nodes.h"

#include "base/files.h"
#include "host/gpu/attributes.h"
#include "host/gpu/nvidia.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace berth::gpu {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view dev = "/dev/";

fs::path on_host(std::string_view path, const Roots& roots) {
    return path.starts_with(dev) ? roots.dev / path.substr(dev.size()) : fs::path(path);
}

DeviceNode made(std::string path, std::uint32_t major, std::uint32_t minor, const Roots& roots) {
    auto host_path = on_host(path, roots);
    return {
        .path = std::move(path), .host_path = std::move(host_path), .major = major, .minor = minor};
}

std::unexpected<Error> missing(const Gpu& gpu, std::string_view what, std::string_view next) {
    return fail(
        make_error(ErrorCode::unavailable, fmt::format("GPU {}: {}", gpu.address.to_string(), what))
            .next(next));
}

/// NVIDIA's own numbers within its major numbers, for nodes that nobody has made yet: the driver's
/// tool makes them when a program of the host first asks.
struct NvidiaNode {
    std::string_view path;
    std::array<std::string_view, 3> devices;  // what /proc/devices may call it
    std::uint32_t minor;
    bool optional;
};
constexpr std::array nvidia_common{
    NvidiaNode{"/dev/nvidiactl", {"nvidiactl", "nvidia", "nvidia-frontend"}, 255, false},
    NvidiaNode{"/dev/nvidia-uvm", {"nvidia-uvm", "", ""}, 0, false},
    NvidiaNode{"/dev/nvidia-uvm-tools", {"nvidia-uvm", "", ""}, 1, true},
    NvidiaNode{"/dev/nvidia-modeset", {"nvidia-modeset", "", ""}, 254, true},
};

std::optional<std::uint32_t> major_of(const std::array<std::string_view, 3>& names,
                                      const Roots& roots) {
    const auto devices = attribute(roots.proc / "devices");
    if (!devices) return std::nullopt;
    for (const auto name : names) {
        if (name.empty()) continue;
        if (const auto major = nvidia::major_in(*devices, name)) return major;
    }
    return std::nullopt;
}

/// The node as it is, or as the driver would have it.
std::optional<DeviceNode> nvidia_node(const NvidiaNode& wanted, const Roots& roots) {
    if (auto node = node_at(wanted.path, roots)) return *std::move(node);
    const auto major = major_of(wanted.devices, roots);
    if (!major) return std::nullopt;
    return made(std::string(wanted.path), *major, wanted.minor, roots);
}

Result<> add_instance(std::vector<DeviceNode>& nodes, const Gpu& gpu, int minor,
                      std::pair<int, int> instance, const Roots& roots) {
    const auto major = major_of({"nvidia-caps", "", ""}, roots);
    for (const int compute_instance : {-1, instance.second}) {
        const auto capability =
            nvidia::capability_of(minor, instance.first, compute_instance, roots);
        if (!capability)
            return missing(
                gpu, fmt::format("it has no MIG instance {}/{}", instance.first, instance.second),
                "call gpu_list for those that it has");
        const auto path = fmt::format("/dev/nvidia-caps/nvidia-cap{}", capability->minor);
        auto node = node_at(path, roots);
        if (!node && !major)
            return missing(gpu, fmt::format("there is no '{}'", path),
                           "run 'nvidia-modprobe -f' for it, or restart the driver");
        nodes.push_back(node ? *std::move(node) : made(path, *major, capability->minor, roots));
        nodes.back().mode = capability->mode;
    }
    return {};
}

Result<std::vector<DeviceNode>> nvidia_nodes(const Gpu& gpu, const Chosen& chosen,
                                             const Roots& roots) {
    if (!gpu.nvidia || !gpu.nvidia->minor)
        return missing(gpu, "NVIDIA's driver tells nothing of it",
                       "see what the kernel's log says of it; then 'modprobe nvidia'");
    const int minor = *gpu.nvidia->minor;
    std::vector<DeviceNode> nodes;
    const std::string own = fmt::format("/dev/nvidia{}", minor);
    const NvidiaNode card{.path = own,
                          .devices = {"nvidia", "nvidia-frontend", ""},
                          .minor = static_cast<std::uint32_t>(minor),
                          .optional = false};
    const auto add = [&](const NvidiaNode& wanted) -> Result<> {
        auto node = nvidia_node(wanted, roots);
        if (node) nodes.push_back(*std::move(node));
        if (!node && !wanted.optional)
            return missing(gpu, fmt::format("there is no '{}'", wanted.path),
                           "run 'nvidia-modprobe -u -c 0', and at boot nvidia-persistenced");
        return {};
    };
    BERTH_TRY(add(card));
    for (const auto& wanted : nvidia_common) BERTH_TRY(add(wanted));
    // The whole of a GPU that is cut is all of its instances.
    for (const auto& one : gpu.nvidia->mig) {
        const std::pair instance(one.gpu_instance, one.compute_instance);
        if (!chosen.mig) BERTH_TRY(add_instance(nodes, gpu, minor, instance, roots));
    }
    if (chosen.mig) BERTH_TRY(add_instance(nodes, gpu, minor, *chosen.mig, roots));
    return nodes;
}

/// By its `dev` file in sysfs, or as it stands in /dev.
std::optional<DeviceNode> node_of(const fs::path& sysfs_entry, std::string path,
                                  const Roots& roots) {
    if (const auto text = attribute(sysfs_entry / "dev")) {
        if (const auto numbers = device_numbers(*text))
            return made(std::move(path), numbers->first, numbers->second, roots);
    }
    auto node = node_at(path, roots);
    return node ? std::optional(*std::move(node)) : std::nullopt;
}

Result<std::vector<DeviceNode>> kernel_nodes(const Gpu& gpu, const Roots& roots) {
    const fs::path device = roots.sysfs / "bus/pci/devices" / gpu.address.to_string();
    std::vector<DeviceNode> nodes;
    const auto add = [&](const fs::path& entry, std::string path) {
        if (auto node = node_of(entry, std::move(path), roots)) nodes.push_back(*std::move(node));
    };
    for (const auto& name : names_in(device / "drm")) {
        if (number_after(name, "renderD")) add(device / "drm" / name, "/dev/dri/" + name);
    }
    for (const auto& name : names_in(device / "accel")) {
        if (number_after(name, "accel")) add(device / "accel" / name, "/dev/accel/" + name);
    }
    if (nodes.empty())
        return missing(
            gpu,
            fmt::format("driver '{}' has made no render node for it", gpu.driver.value_or("none")),
            "see what the kernel's log says of it");
    if (gpu.maker() == Vendor::amd) add(roots.sysfs / "class/kfd/kfd", "/dev/kfd");
    return nodes;
}

using Numbers = std::set<std::pair<std::uint32_t, std::uint32_t>>;  // of character devices

/// Those that are this GPU's alone: the card itself, its render node and whatever else has its
/// name.
Numbers own_numbers(const Gpu& gpu, const Roots& roots) {
    Numbers own;
    const fs::path device = roots.sysfs / "bus/pci/devices" / gpu.address.to_string();
    for (const auto* kind : {"drm", "accel"}) {
        for (const auto& name : names_in(device / kind)) {
            const auto text = attribute(device / kind / name / "dev");
            if (const auto numbers = text ? device_numbers(*text) : std::nullopt)
                own.insert(*numbers);
        }
    }
    if (!gpu.nvidia || !gpu.nvidia->minor) return own;
    const auto minor = *gpu.nvidia->minor;
    if (const auto major = major_of({"nvidia", "nvidia-frontend", ""}, roots))
        own.emplace(*major, static_cast<std::uint32_t>(minor));
    if (const auto node = node_at(fmt::format("/dev/nvidia{}", minor), roots))
        own.emplace(node->major, node->minor);
    return own;
}

/// Whether both of its nodes are there, which it takes to open the instance.
bool opens_instance(const Numbers& given, int minor, const MigInstance& one, const Roots& roots) {
    const auto major = major_of({"nvidia-caps", "", ""}, roots);
    return std::ranges::all_of(std::array{-1, one.compute_instance}, [&](int part) {
        const auto capability = nvidia::capability_of(minor, one.gpu_instance, part, roots);
        return major && capability && given.contains({*major, capability->minor});
    });
}

}  // namespace

std::vector<Chosen> opened_by(std::span<const DeviceNode> nodes, std::span<const Gpu> inventory,
                              const Roots& roots) {
    Numbers given;
    for (const auto& node : nodes) {
        if (node.type == 'c') given.emplace(node.major, node.minor);
    }
    std::vector<Chosen> opened;
    for (const auto& gpu : inventory) {
        if (!gpu.real()) continue;
        const auto own = own_numbers(gpu, roots);
        if (std::ranges::none_of(own, [&](const auto& one) { return given.contains(one); }))
            continue;
        const auto instances = gpu.nvidia ? gpu.nvidia->mig : std::vector<MigInstance>{};
        std::vector<Chosen> parts;
        for (const auto& one : instances) {
            if (opens_instance(given, gpu.nvidia->minor.value_or(-1), one, roots))
                parts.push_back({.address = gpu.address,
                                 .mig = std::pair(one.gpu_instance, one.compute_instance)});
        }
        // Without an instance of one that is cut, it is at least the right to make some.
        if (parts.empty() || parts.size() == instances.size())
            parts.assign(1, {.address = gpu.address});
        opened.insert(opened.end(), parts.begin(), parts.end());
    }
    return opened;
}

Result<DeviceNode> node_at(std::string_view path, const Roots& roots) {
    auto host_path = on_host(path, roots);
    struct stat status{};
    if (::stat(host_path.c_str(), &status) != 0)
        return fail(system_error(fmt::format("look at '{}'", host_path.string()), errno));
    if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is no device", host_path.string()));
    DeviceNode node = made(std::string(path), gnu_dev_major(status.st_rdev),
                           gnu_dev_minor(status.st_rdev), roots);
    node.type = S_ISBLK(status.st_mode) ? 'b' : 'c';
    return node;
}

Result<std::vector<DeviceNode>> nodes_of(const Gpu& gpu, const Chosen& chosen, const Roots& roots) {
    if (!gpu.driver) return missing(gpu, "no driver is bound to it", "load its driver on the host");
    if (gpu.driver->starts_with("vfio"))
        return missing(gpu, fmt::format("it is bound to '{}', for virtual machines", *gpu.driver),
                       "bind it to its vendor's driver");
    if (chosen.mig && gpu.maker() != Vendor::nvidia)
        return missing(gpu, "only NVIDIA's GPUs have MIG instances", "name it by its address");
    // nouveau drives NVIDIA's GPUs as the kernel's own drivers do others.
    const bool by_nvidia = gpu.maker() == Vendor::nvidia && gpu.driver == "nvidia";
    auto nodes = BERTH_TRY(by_nvidia ? nvidia_nodes(gpu, chosen, roots) : kernel_nodes(gpu, roots));
    std::ranges::sort(nodes, {}, &DeviceNode::path);
    const auto repeated = std::ranges::unique(nodes, {}, &DeviceNode::path);
    nodes.erase(repeated.begin(), repeated.end());
    return nodes;
}

}  // namespace berth::gpu
