// SPDX-License-Identifier: Apache-2.0
// What can be changed about a container that is there, also while it runs: its limits, its labels,
// its variables, what it does by itself, and whether its processes go on.
#include "base/fault.h"
#include "host/container/container_service.h"
#include "host/container/environment.h"
#include "host/warning/kinds.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

namespace berth::container {
namespace {

constexpr std::size_t labels_per_container_max = 32;

}  // namespace

Error protected_error(const store::Container& row) {
    return make_error(ErrorCode::denied, fmt::format("container '{}' is protected", row.name))
        .at("/name")
        // Words alone: whoever protected it decides, not a program that makes every call it is
        // told.
        .next(
            "ask whoever protected it; if it may go, call container_update with protected: false");
}

Error paused_error(const store::Container& row, std::string_view at) {
    return make_error(ErrorCode::busy, fmt::format("container '{}' is paused", row.name))
        .at(at)
        .call("container_resume", {{"name", row.name}});
}

Error stopped_error(const store::Container& row, std::string_view at) {
    return make_error(ErrorCode::busy, fmt::format("container '{}' is stopped", row.name))
        .at(at)
        .call("container_start", {{"name", row.name}});
}

std::string etag_of(const store::Container& row) {
    return fmt::format("{}-{}", row.id, row.generation);
}

Result<store::Container> ContainerService::changed(store::Container row,
                                                   const UpdateWish& wish) const {
    if (!wish.etag.empty() && wish.etag != etag_of(row)) {
        return fail(
            make_error(ErrorCode::busy, fmt::format("container '{}' was changed since", row.name))
                .at("/etag")
                .next("update with the etag that it has now, if the change still fits")
                .call("container_get", {{"name", row.name}}));
    }
    const auto before = row.limits;
    row.limits = changed_by(wish.limits, row.limits);
    BERTH_TRY(check_limits(limits_of(row)));
    if ((before.disk_bytes == 0) != (row.limits.disk_bytes == 0)) {
        return fail(make_error(ErrorCode::unsupported,
                               before.disk_bytes == 0
                                   ? "a container gets a disk of its own only when it is created"
                                   : "a container that has a disk of its own keeps it")
                        .at("/disk_bytes")
                        .next(before.disk_bytes == 0
                                  ? "create another with disk_bytes"
                                  : "ask for as many bytes as it may ever need"));
    }
    for (const auto& key : wish.labels_removed) row.labels.erase(key);
    for (const auto& [key, value] : wish.labels) row.labels.insert_or_assign(key, value);
    if (row.labels.size() > labels_per_container_max) {
        return fail(
            make_error(ErrorCode::quota_exceeded,
                       fmt::format("a container has at most {} labels", labels_per_container_max))
                .at("/labels")
                .next("remove others with remove_labels")
                .call("container_get", {{"name", row.name}}));
    }
    auto& life = row.life;
    life.restart = wish.restart.value_or(life.restart);
    life.is_protected = wish.is_protected.value_or(life.is_protected);
    if (wish.ttl_seconds)
        life.expires_at = *wish.ttl_seconds > 0 ? now_ms() + *wish.ttl_seconds * 1000 : 0;
    life.idle_stop_seconds = wish.idle_stop_seconds.value_or(life.idle_stop_seconds);
    life.wake = wish.wake.value_or(life.wake);
    row.no_new_privileges = wish.no_new_privileges.value_or(row.no_new_privileges);
    row.guest_socket = wish.guest_socket.value_or(row.guest_socket);
    row.shares = BERTH_TRY(changed_by(wish.shares, wish.shares_removed, row.shares));
    BERTH_TRY(check_shares(row, wish.shares));
    if (wish.environment) {
        BERTH_TRY(check_environment(*wish.environment));
        row.environment = *wish.environment;
    }
    if (wish.delete_after_stop && !*wish.delete_after_stop)
        life.after_stop = store::AfterStop::keep;
    if (wish.delete_after_stop && *wish.delete_after_stop)
        life.after_stop = row.wanted_running ? store::AfterStop::armed : store::AfterStop::remove;
    return row;
}

Result<> ContainerService::check_shares(const store::Container& row,
                                        const store::Shares& set) const {
    for (std::size_t index = 0; index < set.size(); ++index) {
        const auto found = options_.shares.find(set[index]);
        const auto fine =
            found ? rooms_.engine.check_share(*found, row.uid_base) : Result<>(fail(found.error()));
        if (!fine) return fail(Error(fine.error()).at(fmt::format("/shares/{}/host_path", index)));
    }
    return {};
}

Result<std::pair<View, engine::Usage>> ContainerService::usage(const ContainerName& name) {
    const auto row = BERTH_TRY(find_ready(name));
    const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
    auto used = BERTH_TRY(rooms_.engine.usage(BERTH_TRY(spec_of(row, image))));
    return std::pair(BERTH_TRY(view(row)), used);
}

Result<> ContainerService::set_guest_socket(const store::Container& row) {
    if (row.guest_socket) return open_guest_socket(row);
    rooms_.guests.close(row.id, device_directory(row.id));
    return {};
}

Result<View> ContainerService::rehearse_update(const ContainerName& name, const UpdateWish& wish) {
    return view(BERTH_TRY(changed(BERTH_TRY(find_ready(name)), wish)));
}

Result<View> ContainerService::update(const ContainerName& name, const UpdateWish& wish,
                                      const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "update", waiting));
    const auto before = BERTH_TRY(find_ready(name));
    const auto after = BERTH_TRY(changed(before, wish));
    Rollback undo;
    if (before.limits != after.limits) {
        undo.on_failure([this, before, after]() noexcept {
            (void)rooms_.engine.limit(before.id, limits_of(after), limits_of(before));
        });
        BERTH_TRY(rooms_.engine.limit(before.id, limits_of(before), limits_of(after)));
    }
    if (before.environment != after.environment) {
        undo.on_failure([this, before]() noexcept { (void)publish_environment(before); });
        BERTH_TRY(publish_environment(after));
    }
    BERTH_TRY(fault::at("container.update"));
    if (before.guest_socket != after.guest_socket && rooms_.engine.running(before.id)) {
        undo.on_failure([this, before]() noexcept { (void)set_guest_socket(before); });
        BERTH_TRY(set_guest_socket(after));
    }
    BERTH_TRY(containers_.update(after));
    undo.keep();
    if (after.limits.memory_bytes + after.limits.swap_bytes >
        before.limits.memory_bytes + before.limits.swap_bytes)
        rooms_.warnings.resolve(warning::out_of_memory, warning::container_entity(after.name));
    if (before.life.wake != after.life.wake && !rooms_.engine.running(after.id)) {
        rooms_.logins.close(after.id);
        await_use(after);
    }
    note_use(after);  // an idle time that is new begins now
    rooms_.events.container(after.name, "updated");
    return view(BERTH_TRY(find(after.name)));
}

Result<View> ContainerService::pause(const ContainerName& name, const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "pause", waiting));
    auto row = BERTH_TRY(find_ready(name));
    if (!rooms_.engine.running(row.id)) return fail(stopped_error(row));
    if (rooms_.engine.frozen(row.id)) return view(std::move(row));
    rooms_.logins.close(row.id);  // a login would wait until the container goes on
    Rollback undo;
    undo.on_failure([this, row]() noexcept { (void)rooms_.logins.open(row.id, row.ssh_port); });
    BERTH_TRY(rooms_.engine.freeze(row.id));
    undo.keep();
    rooms_.events.container(row.name, "paused");
    return view(std::move(row));
}

Result<View> ContainerService::resume(const ContainerName& name, const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "resume", waiting));
    auto row = BERTH_TRY(find_ready(name));
    if (!rooms_.engine.running(row.id)) return fail(stopped_error(row));
    BERTH_TRY(rooms_.layers.release(row.id));
    if (!rooms_.engine.frozen(row.id)) return view(std::move(row));
    Rollback undo;
    undo.on_failure([this, row]() noexcept { (void)rooms_.engine.freeze(row.id); });
    BERTH_TRY(rooms_.engine.thaw(row.id));
    note_use(row);
    BERTH_TRY(rooms_.logins.open(row.id, row.ssh_port));
    undo.keep();
    rooms_.events.container(row.name, "resumed");
    return view(std::move(row));
}

}  // namespace berth::container
