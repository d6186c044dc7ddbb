// SPDX-License-Identifier: Apache-2.0
#include "host/tools/host_tools.h"
#include "tools/tools.h"

#include <sys/utsname.h>

#include <algorithm>

namespace berth::tools {
namespace {

SystemInfo::Output::CgroupLayout layout_of(engine::CgroupLayout layout) {
    using Layout = SystemInfo::Output::CgroupLayout;
    switch (layout) {
        case engine::CgroupLayout::unified:
            return Layout::unified;
        case engine::CgroupLayout::hybrid:
            return Layout::hybrid;
        case engine::CgroupLayout::legacy:
            return Layout::legacy;
    }
    std::unreachable();
}

std::string kernel_release() {
    utsname names{};
    return ::uname(&names) == 0 ? names.release : "unknown";
}

Result<SystemInfo::Output> info(container::ContainerService& containers,
                                const image::ImageStore& images, warning::Warnings& warnings,
                                const HostFacts& facts) {
    const auto views = BERTH_TRY(containers.list());
    std::vector<Image> found;
    for (const auto& image : BERTH_TRY(images.list())) {
        found.push_back({.name = ImageName::parse(image.name).value(),
                         .digest = image.digest,
                         .created_at = image.created_at});
    }
    const auto new_warnings = BERTH_TRY(warnings.count_new());
    return SystemInfo::Output{
        .version = facts.version,
        .kernel = kernel_release(),
        .engine = facts.engine,
        .cgroup_layout = layout_of(facts.cgroup_layout),
        .bridge = facts.bridge,
        .subnet = facts.subnet,
        .containers = static_cast<std::int64_t>(views.size()),
        .running = std::ranges::count(views, container::State::running, &container::View::state),
        .standby = static_cast<std::int64_t>(containers.waiting_room().count()),
        .images = std::move(found),
        .features = facts.features,
        .warnings = new_warnings};
}

}  // namespace

void bind_system_tools(ToolRegistry& registry, container::ContainerService& containers,
                       const image::ImageStore& images, warning::Warnings& warnings,
                       HostFacts facts) {
    registry.bind<SystemInfo>([&containers, &images, &warnings, facts = std::move(facts)](
                                  const SystemInfo::Input&, const Call&) {
        return info(containers, images, warnings, facts);
    });
}

}  // namespace berth::tools
