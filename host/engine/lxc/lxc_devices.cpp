// SPDX-License-Identifier: Apache-2.0
// Devices that a running container is given, and those that it loses.
#include "base/fault.h"
#include "base/log.h"
#include "base/rollback.h"
#include "host/engine/lxc/devices.h"
#include "host/engine/lxc/lxc_engine.h"

#include <fmt/format.h>
#include <lxc/lxccontainer.h>

namespace berth::engine {
namespace {

constexpr const char* allow = "devices.allow";
constexpr const char* deny = "devices.deny";

}  // namespace

DeviceNodes LxcEngine::nodes(std::string_view id) const {
    return DeviceNodes(directory(id) / "nodes");
}

Result<> LxcEngine::set_policy(std::string_view id, const char* item, const Device& device) {
    const Handle container = open(id);
    const auto rule = device_rule(device, item == deny ? "rwm" : device.access);
    if (container && container->set_cgroup_item(container.get(), item, rule.c_str())) return {};
    return fail(
        ErrorCode::unavailable,
        fmt::format("the container's device policy could not be changed ({} {})", item, rule));
}

Result<> LxcEngine::add_device(const Spec& spec, const Device& device) {
    BERTH_TRY(fault::at("engine.device_add"));
    const auto init = BERTH_TRY(init_pid(spec.id));
    Rollback undo;
    undo.on_failure([this, &spec, device]() noexcept { (void)set_policy(spec.id, deny, device); });
    BERTH_TRY(nodes(spec.id).add(device, spec.uid_base));
    BERTH_TRY(set_policy(spec.id, allow, device));
    BERTH_TRY(nodes(spec.id).mount(device, init, spec.uid_base));
    undo.keep();
    return {};
}

Result<> LxcEngine::remove_device(const Spec& spec, const Device& device) {
    BERTH_TRY(fault::at("engine.device_remove"));
    const auto init = BERTH_TRY(init_pid(spec.id));
    // First no more can be opened, and then nobody may have it open.
    BERTH_TRY(set_policy(spec.id, deny, device));
    Rollback undo;
    undo.on_failure([this, &spec, device]() noexcept { (void)set_policy(spec.id, allow, device); });
    for (const pid_t process : cgroups_.processes(payload_group(options_.cgroup, spec.id))) {
        if (!has_open(process, device)) continue;
        return fail(make_error(ErrorCode::busy,
                               fmt::format("a process in the container has {} open", device.path))
                        .next("end it, or stop the container"));
    }
    // It opens no more, so what is left of it where the container has moved things does not matter.
    if (const auto unmounted = nodes(spec.id).unmount(device, init, spec.uid_base); !unmounted)
        log::warning("a device that was taken from a container is still seen inside",
                     {{"id", spec.id}, {"cause", unmounted.error().message}});
    (void)::unlink(nodes(spec.id).path_of(device).c_str());
    undo.keep();
    return {};
}

}  // namespace berth::engine
