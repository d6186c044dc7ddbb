// SPDX-License-Identifier: Apache-2.0
// The devices that a container has for its GPUs and by CDI: what a start gives it, and what becomes
// of that while it runs.
#include "base/log.h"
#include "host/container/container_service.h"
#include "host/container/device_nodes.h"
#include "host/gpu/cdi_steps.h"
#include "host/ssh/guest_files.h"
#include "host/warning/kinds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

namespace berth::container {
namespace {

constexpr std::string_view nvidia_kind = "nvidia.com/gpu";  // of the specs of NVIDIA's toolkit
constexpr auto list_time_max = std::chrono::seconds(60);    // for thousands of libraries

/// A share that a mount of a device would cover, or the other way round.
Result<> check_beside(const engine::DriverFiles& files, const store::Shares& shares) {
    for (const auto& mount : files.mounts) {
        for (const auto& share : shares) {
            const std::string one = mount.inside + "/", other = share.path + "/";
            if (!one.starts_with(other) && !other.starts_with(one)) continue;
            return fail(
                make_error(ErrorCode::busy,
                           fmt::format("a device wants '{}' mounted in the container, where "
                                       "its share '{}' is",
                                       mount.inside, share.path))
                    .at("/devices")
                    .next("take the share away with container_update: remove_shares"));
        }
    }
    return {};
}

}  // namespace

Result<> ContainerService::reserve_devices(const store::Container& row, const CreateWish& wish,
                                           const std::vector<gpu::Gpu>& inventory) {
    if (wish.devices.empty()) return {};
    const auto edits =
        BERTH_TRY(gpu::cdi::Specs::read(rooms_.gpus.roots()).resolve(wish.devices, "/devices"));
    auto done = gpu::cdi::steps_of(edits);
    if (!done) return fail(std::move(done).error().at("/devices"));
    BERTH_TRY(lease_opened(row, edits, wish.caller, inventory));
    for (const auto& name : wish.devices) BERTH_TRY(devices_.insert_cdi(row.id, name));
    return {};
}

Result<> ContainerService::add_cdi(const store::Container& row,
                                   const std::vector<store::GpuLease>& leases, engine::Spec& spec) {
    auto names = BERTH_TRY(devices_.cdi_of(row.id));
    const auto directory = guest_directory(row.id);
    const bool had_variables = !ssh::read_environment(directory).empty();
    if (names.empty() && leases.empty() && !had_variables) return {};
    const auto inventory = BERTH_TRY(rooms_.gpus.list());
    const auto specs = gpu::cdi::Specs::read(rooms_.gpus.roots());
    for (const auto& lease : leases) {
        const auto name =
            specs.describing(BERTH_TRY(gpu::Chosen::parse(lease.gpu)), nvidia_kind, inventory);
        if (name && !lease.by_cdi && std::ranges::find(names, *name) == names.end())
            names.push_back(*name);
    }
    if (names.empty() && !had_variables) return {};
    const auto edits = BERTH_TRY(specs.resolve(names, "/devices"));
    auto wanted = BERTH_TRY(gpu::cdi::steps_of(edits));
    BERTH_TRY(check_beside(wanted.files, row.shares));
    BERTH_TRY(rooms_.database.transact([&] { return lease_opened(row, edits, "", inventory); }));
    for (const auto& node : edits.device_nodes) add_new(spec.devices, to_engine(node));
    spec.environment = edits.environment;
    spec.driver = std::move(wanted.files);
    if (!wanted.left_out.empty())
        log::info("hooks of a CDI spec were left out, without which its device works",
                  {{"container", row.name},
                   {"hooks", fmt::format("{}", fmt::join(wanted.left_out, ", "))}});
    BERTH_TRY(ssh::write_environment(directory, spec.environment, row.uid_base));
    return publish_environment(row);
}

Result<> ContainerService::add_devices(const store::Container& row, engine::Spec& spec) {
    const auto given = [&]() -> Result<> {
        const auto leases = BERTH_TRY(devices_.leases_of(row.id));
        for (const auto& device : BERTH_TRY(nodes_of(row, leases))) add_new(spec.devices, device);
        return add_cdi(row, leases, spec);
    }();
    if (given) {
        rooms_.warnings.resolve(warning::gpu_unusable, warning::container_entity(row.name));
        return {};
    }
    // Of one that is being created, its caller is told and nothing stays.
    if (row.phase == store::Phase::ready) warn_of_devices(row, given.error());
    return given;
}

void ContainerService::warn_of_devices(const store::Container& row, const Error& error) {
    rooms_.warnings.raise({.type = warning::gpu_unusable,
                           .severity = warning::Severity::error,
                           .entity = warning::container_entity(row.name),
                           .message = error.message,
                           .next = error.hint});
}

/// By the agent and not before init starts: what runs is a program of the container's, so it gets
/// the container's confinement, and a time to end.
void ContainerService::list_libraries(const store::Container& row, const Waiting& waiting) {
    const auto listed = rooms_.executor.run(
        row.id, {.launch = {.argv = {"/sbin/ldconfig"}}, .timeout = list_time_max},
        waiting.cancelled);
    if (listed && listed->exit_code == 0) return;
    const auto why = listed ? listed->errors.text : listed.error().message;
    warn_of_devices(row,
                    make_error(ErrorCode::unavailable,
                               fmt::format("container '{}' runs, but its programs may not find "
                                           "the libraries of its devices: /sbin/ldconfig "
                                           "failed inside: {}",
                                           row.name, why))
                        .next("see to it that 'ldconfig' works inside, then run it"));
}

Result<> ContainerService::give_devices(const store::Container& row) {
    const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
    auto spec = BERTH_TRY(spec_of(row, image));
    BERTH_TRY(add_devices(row, spec));
    for (const auto& device : spec.devices) BERTH_TRY(rooms_.engine.add_device(spec, device));
    return {};
}

Result<> ContainerService::renew(const store::Container& row, bool found_again) {
    const auto leases = BERTH_TRY(devices_.leases_of(row.id));
    const bool has_devices = !leases.empty() || !BERTH_TRY(devices_.cdi_of(row.id)).empty();
    if (!has_devices) return {};
    const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
    auto spec = BERTH_TRY(spec_of(row, image));
    // Of what is not to be had now nothing stays: its numbers may be another card's already.
    std::optional<Error> lacking;
    std::vector<store::GpuLease> there;
    for (const auto& lease : leases) {
        const auto nodes = nodes_of(row, {lease});
        if (nodes)
            there.push_back(lease);
        else
            lacking = nodes.error();
        for (const auto& device : nodes.value_or(std::vector<engine::Device>{}))
            add_new(spec.devices, device);
    }
    if (auto added = add_cdi(row, there, spec); !added) {
        // But a file that somebody has removed meanwhile takes nothing away.
        if (added.error().code == ErrorCode::not_found) return added;
        lacking = added.error();
    }
    BERTH_TRY(rooms_.engine.renew_devices(spec));
    // Of what an end of berthd has cut short, nobody knows which of the steps were done.
    for (const auto& device : found_again ? spec.devices : std::vector<engine::Device>{})
        BERTH_TRY(rooms_.engine.add_device(spec, device));
    return lacking ? Result<>(fail(*lacking)) : Result<>();
}

void ContainerService::renew_devices() {
    const auto rows = containers_.list();
    if (!rows) return log::error("devices are not renewed", {{"cause", rows.error().message}});
    for (const auto& seen : *rows) {
        const auto held = locks_.hold(seen.name);
        const auto row = same(seen);
        if (!row || !*row || !rooms_.engine.running(seen.id)) continue;
        if (const auto renewed = renew(**row); !renewed) {
            warn_of_devices(
                **row,
                make_error(renewed.error().code,
                           fmt::format("container '{}' runs without a device that it has: {}",
                                       seen.name, renewed.error().message))
                    .next("it gets it as soon as it is there again; what had it open has to "
                          "be started anew"));
            continue;
        }
        if (!devices_.leases_of(seen.id).value_or(std::vector<store::GpuLease>{}).empty())
            rooms_.warnings.resolve(warning::gpu_unusable, warning::container_entity(seen.name));
    }
}

}  // namespace berth::container
