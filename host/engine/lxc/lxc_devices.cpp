// SPDX-License-Identifier: Apache-2.0
// Devices that a running container is given, and those that it loses.
#include "base/fault.h"
#include "base/log.h"
#include "base/rollback.h"
#include "host/engine/lxc/devices.h"
#include "host/engine/lxc/lxc_engine.h"

#include <fmt/format.h>
#include <lxc/lxccontainer.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace berth::engine {
namespace {

constexpr const char* allow = "devices.allow";
constexpr const char* deny = "devices.deny";

// Programs that only talk take descriptors at once; one that is busy, after a moment. The kernel
// tells nobody when a descriptor leaves a socket, so it is looked again.
constexpr auto in_flight_time_max = std::chrono::seconds(2);
constexpr auto in_flight_pause = std::chrono::milliseconds(20);

}  // namespace

DeviceNodes LxcEngine::nodes(std::string_view id) const {
    return DeviceNodes(directory(id) / "nodes");
}

Result<> LxcEngine::set_policy(std::string_view id, const char* item, const Device& device) {
    if (is_usual(device)) return {};
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
    const auto made = nodes(spec.id).made();
    const auto had = [&](bool (*same)(const Device&, const Device&)) {
        return std::ranges::any_of(made, [&](const Device& one) { return same(one, device); });
    };
    Rollback undo;
    // What it was given before, by this path or another, stays its own.
    if (!had(same_number))
        undo.on_failure(
            [this, &spec, device]() noexcept { (void)set_policy(spec.id, deny, device); });
    if (!had(same_node)) {
        undo.on_failure(
            [path = nodes(spec.id).path_of(device)]() noexcept { (void)::unlink(path.c_str()); });
    }
    BERTH_TRY(nodes(spec.id).add(device, spec.uid_base));
    BERTH_TRY(set_policy(spec.id, allow, device));
    BERTH_TRY(fault::at("engine.device_made"));
    BERTH_TRY(nodes(spec.id).mount(device, init, spec.uid_base));
    undo.keep();
    return {};
}

void LxcEngine::take_away(const Spec& spec, const Device& device, pid_t init) {
    // It opens no more, so what is left of it where the container has moved things does not matter.
    if (const auto unmounted = nodes(spec.id).unmount(device, init, spec.uid_base); !unmounted)
        log::warning("a device that was taken from a container is still seen inside",
                     {{"id", spec.id}, {"cause", unmounted.error().message}});
    (void)::unlink(nodes(spec.id).path_of(device).c_str());
}

Result<> LxcEngine::check_unused(std::string_view id, const Device& device) const {
    const auto deadline = std::chrono::steady_clock::now() + in_flight_time_max;
    for (;;) {
        pid_t user = 0;
        std::string_view use;
        for (const pid_t process : cgroups_.processes(payload_group(options_.cgroup, id))) {
            use = use_of(user = process, device);
            if (!use.empty()) break;
        }
        if (use.empty()) return {};
        if (use != descriptors_in_flight || std::chrono::steady_clock::now() > deadline)
            return fail(make_error(ErrorCode::busy,
                                   fmt::format("of {}, process {} of the host, which is in the "
                                               "container, {}",
                                               device.path, user, use))
                            .next("end it, or stop the container"));
        std::this_thread::sleep_for(in_flight_pause);
    }
}

Result<> LxcEngine::remove_device(const Spec& spec, const Device& device) {
    BERTH_TRY(fault::at("engine.device_remove"));
    const auto init = BERTH_TRY(init_pid(spec.id));
    // First no more can be opened, and then nobody may have it open.
    BERTH_TRY(set_policy(spec.id, deny, device));
    Rollback undo;
    undo.on_failure([this, &spec, device]() noexcept { (void)set_policy(spec.id, allow, device); });
    BERTH_TRY(fault::at("engine.device_denied"));
    if (!is_usual(device)) BERTH_TRY(check_unused(spec.id, device));
    take_away(spec, device, init);
    undo.keep();
    return {};
}

Result<> LxcEngine::renew_devices(const Spec& spec) {
    const auto init = BERTH_TRY(init_pid(spec.id));
    const auto& wanted = spec.devices;
    const auto made = nodes(spec.id).made();
    for (const auto& old : made) {
        const auto fits = [&](bool (*same)(const Device&, const Device&)) {
            return std::ranges::any_of(wanted, [&](const Device& one) { return same(one, old); });
        };
        if (!fits(same_number)) BERTH_TRY(set_policy(spec.id, deny, old));
        if (!fits(same_node)) take_away(spec, old, init);
    }
    for (const auto& device : wanted) {
        const bool there =
            std::ranges::any_of(made, [&](const Device& one) { return same_node(one, device); });
        if (!there) BERTH_TRY(add_device(spec, device));
    }
    return {};
}

}  // namespace berth::engine
