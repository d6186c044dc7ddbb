// SPDX-License-Identifier: Apache-2.0
// What snapshots and forks need of a container's life: to have it for themselves, running or
// stopped, and to make another like it.
#include "host/container/container_service.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::container {

namespace {

/// Until it is deleted; 0 for one that stays.
std::int64_t seconds_left(const store::Lifecycle& life, std::chrono::system_clock::time_point now) {
    if (life.expires_at == 0) return 0;
    const std::chrono::system_clock::time_point end{std::chrono::milliseconds(life.expires_at)};
    return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(end - now).count());
}

}  // namespace

Result<> ContainerService::change(const ContainerName& name, std::string_view doing,
                                  const Waiting& waiting,
                                  const std::function<Result<>(const engine::Spec&)>& work) {
    const auto held = BERTH_TRY(hold(name, doing, waiting));
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto image = BERTH_TRY(rooms_.images.find_digest(row->image_digest));
    auto done = work(BERTH_TRY(spec_of(*row, image)));
    if (!done)
        return fail(std::move(done).error().in(fmt::format("{} container '{}'", doing, row->name)));
    rooms_.events.container(row->name, "updated");
    return {};
}

Result<View> ContainerService::change_stopped(
    const ContainerName& name, std::string_view doing, bool restart, const Waiting& waiting,
    const std::function<Result<>(const engine::Spec&)>& work) {
    const auto held = BERTH_TRY(hold(name, doing, waiting));
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto image = BERTH_TRY(rooms_.images.find_digest(row->image_digest));
    const bool running = rooms_.engine.running(row->id);
    if (running && !restart) {
        return fail(make_error(ErrorCode::busy, fmt::format("container '{}' is running", row->name))
                        .at("/container")
                        .next("pass restart: true, or stop it first")
                        .call("container_stop", {{"name", row->name}}));
    }
    if (running) {
        BERTH_TRY(check_nesting(row->nesting, "/container"));  // or it would not start again
        BERTH_TRY(stop_for_restart(*row));
    }
    auto done = work(BERTH_TRY(spec_of(*row, image)));
    // From here on it is done, or not, and nobody can take it back: it is only started again.
    const auto up = running ? start_held(*row, {}) : Result<>();
    if (!done)
        return fail(std::move(done).error().in(fmt::format("{} container '{}'", doing, row->name)));
    if (!up) return fail(Error(up.error()).in("it was changed, and is stopped"));
    rooms_.events.container(row->name, "updated");
    return view(BERTH_TRY(find(row->name)));
}

Result<> ContainerService::stop_for_restart(const store::Container& row) {
    constexpr int stop_seconds = 10;
    // Its end is no end by itself then, also for a berthd that finds it while it shuts down.
    BERTH_TRY(containers_.set_restarting(row.id, true));
    Rollback undo;
    undo.on_failure([this, row]() noexcept {
        if (!rooms_.engine.running(row.id)) return;
        (void)containers_.set_restarting(row.id, false);
        (void)open_entries(row);
    });
    close_entries(row);
    BERTH_TRY(rooms_.engine.stop(row.id, stop_seconds));
    rooms_.agents.forget(row.id);
    undo.keep();
    return {};
}

Result<CreateWish> ContainerService::wish_like(const ContainerName& name) {
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    auto image = BERTH_TRY(ImageName::parse(row->image));
    CreateWish wish{.name = name,
                    .image = std::move(image),
                    .limits = limits_of(*row),
                    .ports = {},
                    .ssh_keys = {},
                    .labels = row->labels,
                    .no_new_privileges = row->no_new_privileges,
                    .nesting = row->nesting,
                    .shares = row->shares,
                    .environment = row->environment,
                    .guest_socket = row->guest_socket,
                    .life = row->life,
                    .ttl_seconds = seconds_left(row->life, rooms_.clock.wall()),
                    .origin = Origin{
                        .layer_id = "", .image_digest = row->image_digest, .container = row->name}};
    // What is protected is the one whose name is known; and whether it starts decides anew whether
    // its first stop deletes it.
    wish.life.is_protected = false;
    wish.life.expires_at = 0;
    if (wish.life.after_stop == store::AfterStop::armed)
        wish.life.after_stop = store::AfterStop::remove;
    for (const auto& key : BERTH_TRY(keys_.list_of(row->id)))
        wish.ssh_keys.push_back(BERTH_TRY(SshPublicKey::parse(key.public_key)));
    return wish;
}

}  // namespace berth::container
