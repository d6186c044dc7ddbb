// SPDX-License-Identifier: Apache-2.0
// Containers that are booted before anybody asks for them. A create that fits one claims it: in one
// transaction the row that waits becomes the caller's, and from then on everything is as in a
// create that boots, and undone as there. Nobody has used it before, and it never waits again.
// The disk takes its time for that transaction while the container is named. What is written when
// all is done the disk may lose: a claimed row of which nothing runs, as after a power cut, says
// all that the container is to be, so it is finished then (reconcile.cpp).
#include "base/fault.h"
#include "base/log.h"
#include "base/rollback.h"
#include "host/container/container_service.h"
#include "host/container/seeds.h"
#include "host/container/steps.h"
#include "host/ssh/keys.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <future>

namespace berth::container {
namespace {

/// Whether a container that runs already can become what is wished for. Whatever a create can ask
/// for that has to be there when init starts is a reason why not.
bool may_be_claimed(const CreateWish& wish) {
    return wish.start && !wish.origin && !wish.nesting && wish.shares.empty() &&
           wish.guest_socket && wish.gpus.empty() && wish.devices.empty();
}

std::string template_of(const engine::Limits& limits, bool no_new_privileges,
                        const image::Image& image, const std::string& version) {
    return to_text(Json{{"berth", version},
                        {"image", image.digest},
                        {"no_new_privileges", no_new_privileges},
                        {"memory_bytes", limits.memory_bytes},
                        {"cpu_percent", limits.cpu_percent},
                        {"processes", limits.processes},
                        {"swap_bytes", limits.swap_bytes},
                        {"disk_bytes", limits.disk_bytes},
                        {"io_bytes_per_second", limits.io_bytes_per_second},
                        {"io_operations_per_second", limits.io_operations_per_second},
                        {"receive_bytes_per_second", limits.receive_bytes_per_second},
                        {"send_bytes_per_second", limits.send_bytes_per_second}});
}

}  // namespace

Result<std::string> ContainerService::made_as(const CreateWish& wish) {
    BERTH_TRY(check_limits(wish.limits));
    return template_of(wish.limits, wish.no_new_privileges, BERTH_TRY(image_of(wish)),
                       options_.version);
}

Result<> ContainerService::fill_standby(const CreateWish& wish, const std::stop_token& cancelled) {
    const auto as = BERTH_TRY(made_as(wish));
    const auto image = BERTH_TRY(image_of(wish));
    const auto host_key = BERTH_TRY(ssh::generate_host_key());
    auto row = row_of(wish, image, host_key.public_key);
    row.name = store::Standby::name_of(row.id);
    BERTH_TRY(rooms_.database.transact_soon([&]() -> Result<> {
        BERTH_TRY(reserve(row, wish, {}));
        return standby_.insert(row.id, as);
    }));
    Rollback undo;
    undo.on_failure([this, row]() noexcept { discard(row); });
    BERTH_TRY(make(row, wish, image, host_key.private_key, {.cancelled = cancelled}));
    undo.keep();
    rooms_.logins.close(row.id);  // SSH has answered; whoever claims it opens it again
    waiting_.put({.row = std::move(row), .made_as = as});
    return {};
}

Result<std::vector<Waiter>> ContainerService::found_waiting() {
    const auto templates = BERTH_TRY(standby_.templates());
    std::vector<Waiter> found;
    for (auto& row : BERTH_TRY(containers_.all())) {
        if (const auto made_as = templates.find(row.id); made_as != templates.end())
            found.push_back({.row = std::move(row), .made_as = made_as->second});
    }
    return found;
}

Result<> ContainerService::adopt_standby(const Waiter& one, const std::stop_token& cancelled) {
    const Waiting waiting{.cancelled = cancelled};
    BERTH_TRY(prove(one.row.id, waiting, [&] { return run_probe(one.row.id, waiting); }));
    waiting_.put(one);
    return {};
}

Result<> ContainerService::reserve_claimed(store::Container& row, const CreateWish& wish) {
    BERTH_TRY(standby_.take(row.id));
    BERTH_TRY(containers_.insert(row));
    BERTH_TRY(reserve_wishes(row, wish));
    BERTH_TRY(standby_.mark_claimed(row.id));
    return fault::at("standby.claim");
}

Result<std::optional<View>> ContainerService::claim(const CreateWish& wish,
                                                    const image::Image& image,
                                                    const Waiting& waiting) {
    if (!may_be_claimed(wish)) return std::nullopt;
    const auto as = template_of(wish.limits, wish.no_new_privileges, image, options_.version);
    while (auto taken = waiting_.take(as)) {
        auto row = row_of(wish, image, taken->row.host_key);
        row.id = taken->row.id;
        row.slot = taken->row.slot;
        row.uid_base = taken->row.uid_base;
        row.ipv4 = taken->row.ipv4;
        row.ssh_port = taken->row.ssh_port;
        auto reserved = rooms_.database.transact_soon([&] { return reserve_claimed(row, wish); });
        if (!reserved) {
            waiting_.put_back(*std::move(taken));
            return fail(std::move(reserved).error());
        }
        Rollback undo;
        undo.on_failure([this, row]() noexcept { discard(row); });
        const auto made = make_its_own(row, wish, image, waiting);
        if (made) {
            undo.keep();
            rooms_.events.container(row.name, "created");
            return BERTH_TRY(view(BERTH_TRY(find(row.name))));
        }
        if (waiting.cancelled.stop_requested()) {
            return fail(told(made.error(), waiting, "what was begun has been undone")
                            .in(fmt::format("create container '{}'", row.name)));
        }
        log::warning("a container that waited could not be claimed, and goes",
                     {{"id", row.id}, {"cause", made.error().message}});
        // Where it is not to blame the next would go, too, for nothing.
        if (rooms_.engine.running(row.id)) return std::nullopt;
    }
    return std::nullopt;
}

Result<> ContainerService::make_its_own(const store::Container& row, const CreateWish& wish,
                                        const image::Image& image, const Waiting& waiting) {
    BERTH_TRY(go_on(waiting, 1, "giving one that waited its name"));
    auto kept = std::async(std::launch::async, [this] { return rooms_.database.sync(); });
    if (!wish.ssh_keys.empty()) BERTH_TRY(publish_keys(row));  // there is an empty file already
    if (!row.environment.empty()) BERTH_TRY(publish_environment(row));
    BERTH_TRY(rooms_.engine.rename(BERTH_TRY(spec_of(row, image)), seeds(row.name)));
    note_use(row);
    BERTH_TRY(open_entries(row));
    BERTH_TRY(fault::at("standby.named"));
    // SSH has answered when it was booted, and whoever waits can have ended since.
    if (!rooms_.engine.running(row.id))
        return fail(ErrorCode::unavailable, "the container that waited has ended");
    BERTH_TRY(go_on(waiting, steps_of_bring_up, "opening its ports"));
    if (!wish.ports.empty()) BERTH_TRY(apply_forwards());
    BERTH_TRY(fault::at("standby.ready"));
    BERTH_TRY(kept.get());
    return rooms_.database.transact_soon([&] { return settle_claimed(row.id); });
}

Result<> ContainerService::settle_claimed(const std::string& id) {
    BERTH_TRY(standby_.settle(id));
    return containers_.set_phase(id, store::Phase::ready);
}

}  // namespace berth::container
