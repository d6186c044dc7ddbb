// SPDX-License-Identifier: Apache-2.0
#include "host/container/container_service.h"

#include "base/fault.h"
#include "host/container/device_nodes.h"
#include "host/container/seeds.h"
#include "host/container/steps.h"
#include "host/ssh/guest_files.h"
#include "host/ssh/keys.h"
#include "host/warning/kinds.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <future>
#include <thread>

namespace berth::container {
namespace {

constexpr auto probe_time_max = std::chrono::seconds(20);
constexpr auto room_time_max = std::chrono::seconds(10);  // for deleted ones to be removed
constexpr auto probe_pause = std::chrono::milliseconds(10);

Error no_such(std::string_view name) {
    return make_error(ErrorCode::not_found, fmt::format("there is no container '{}'", name))
        .at("/name");
}

}  // namespace

ContainerService::ContainerService(ServiceOptions options, net::AddressPlan plan, Rooms rooms)
    : options_(std::move(options)),
      plan_(plan),
      rooms_(rooms),
      containers_(rooms.database),
      ports_(rooms.database),
      keys_(rooms.database),
      devices_(rooms.database),
      standby_(rooms.database),
      boots_(rooms.engine, creates_),
      remains_([this](const auto& row, int attempt) { return try_to_remove(row, attempt); }) {}

std::filesystem::path ContainerService::guest_directory(std::string_view id) const {
    return options_.state_dir / "containers" / id / "guest";
}

std::filesystem::path ContainerService::device_directory(std::string_view id) const {
    return options_.state_dir / "containers" / id / "dev";
}

Result<> ContainerService::open_guest_socket(const store::Container& row) {
    if (!options_.guest_sockets || !row.guest_socket) return {};
    return rooms_.guests.open(row.id, device_directory(row.id));
}

Result<> ContainerService::open_entries(const store::Container& row) {
    BERTH_TRY(open_guest_socket(row));
    return rooms_.logins.open(row.id, row.ssh_port);
}

void ContainerService::close_entries(const store::Container& row) {
    rooms_.logins.close(row.id);
    rooms_.guests.close(row.id, device_directory(row.id));
}

void ContainerService::rest_entries(const store::Container& row) {
    if (!row.life.wake) return close_entries(row);
    rooms_.guests.close(row.id, device_directory(row.id));
    await_use(row);
}

Result<store::Container> ContainerService::find(std::string_view name) {
    auto row = BERTH_TRY(containers_.find_by_name(name));
    if (row) return *std::move(row);
    std::vector<std::string> names;
    for (auto& other : BERTH_TRY(containers_.list())) names.push_back(std::move(other.name));
    const auto meant = nearest(name, names);
    if (meant.empty()) return fail(no_such(name).call("container_list", Json::object()));
    return fail(no_such(name)
                    .next(fmt::format("did you mean '{}'?", meant))
                    .call("container_get", {{"name", meant}}));
}

Result<store::Container> ContainerService::find_ready(const ContainerName& name) {
    auto row = BERTH_TRY(find(name.to_string()));
    if (row.phase != store::Phase::ready) {
        return fail(
            make_error(ErrorCode::busy,
                       fmt::format("container '{}' is being {}", name.to_string(),
                                   row.phase == store::Phase::creating ? "created" : "deleted"))
                .at("/name")
                .next("wait a moment")
                .call("container_get", {{"name", row.name}}));
    }
    return row;
}

Result<KeyedLock::Held> ContainerService::hold(const ContainerName& name, std::string_view doing,
                                               const Waiting& waiting) {
    auto held = locks_.hold(name.to_string(), waiting.cancelled);
    if (held && !waiting.cancelled.stop_requested()) return *std::move(held);
    return fail(cancelled_error("nothing was begun")
                    .in(fmt::format("{} container '{}'", doing, name.to_string())));
}

State ContainerService::state_of(const store::Container& row) {
    switch (row.phase) {
        case store::Phase::creating:
            return State::creating;
        case store::Phase::deleting:
            return State::deleting;
        case store::Phase::ready:
            if (!rooms_.engine.running(row.id)) return State::stopped;
            return rooms_.engine.frozen(row.id) ? State::paused : State::running;
    }
    std::unreachable();
}

Result<View> ContainerService::view(store::Container row) {
    View view{.row = std::move(row)};
    view.state = state_of(view.row);
    view.ports = BERTH_TRY(ports_.list_of(view.row.id));
    view.ssh_keys = static_cast<std::int64_t>(BERTH_TRY(keys_.list_of(view.row.id)).size());
    for (auto& lease : BERTH_TRY(devices_.leases_of(view.row.id)))
        view.gpus.push_back(std::move(lease.gpu));
    return view;
}

Result<image::Image> ContainerService::image_of(const CreateWish& wish) {
    if (!wish.origin) return rooms_.images.find(wish.image);
    auto image = BERTH_TRY(rooms_.images.find_digest(wish.origin->image_digest));
    image.name = wish.image.to_string();
    return image;
}

Result<engine::Spec> ContainerService::spec_of(const store::Container& row,
                                               const image::Image& image) {
    auto root = BERTH_TRY(rooms_.layers.root_of(row.id));
    engine::Spec spec{.id = row.id,
                      .hostname = hostname_of(row),
                      .base = image.rootfs,
                      .uid_base = row.uid_base,
                      .limits = limits_of(row),
                      .network = {.bridge = options_.bridge,
                                  .mac = net::mac_of(row.ipv4),
                                  .ipv4 = row.ipv4,
                                  .prefix_length = plan_.subnet().prefix_length(),
                                  .gateway = plan_.subnet().gateway()},
                      .host_files = guest_directory(row.id),
                      .device_files = device_directory(row.id),
                      .root = std::move(root),
                      .no_new_privileges = row.no_new_privileges,
                      .nesting = row.nesting};
    if (row.nesting) spec.devices = nesting_devices();
    return spec;
}

Result<> ContainerService::apply_forwards() {
    const std::lock_guard lock(forwards_mutex_);
    std::map<std::string, std::string> addresses;
    for (const auto& row : BERTH_TRY(containers_.list())) {
        if (row.phase != store::Phase::deleting) addresses.emplace(row.id, row.ipv4);
    }
    std::vector<net::Forward> forwards;
    for (const auto& port : BERTH_TRY(ports_.list())) {
        const auto address = addresses.find(port.container_id);
        // Of one made since then, which writes its own after us; or of one that is going.
        if (address == addresses.end()) continue;
        forwards.push_back({.protocol = port.protocol,
                            .host_port = port.host_port,
                            .ipv4 = address->second,
                            .container_port = port.container_port});
    }
    const bool found_changed = BERTH_TRY(rooms_.network.apply(forwards));
    if (found_changed) {
        warning::tell_repaired(rooms_.warnings, std::string(warning::network_entity),
                               "somebody else had changed berth's nftables table, which keeps "
                               "containers apart and forwards ports; it was written anew");
    }
    rooms_.warnings.resolve(warning::reconcile_failed, warning::network_entity);
    return {};
}

bool ContainerService::keep_forwards() {
    const auto applied = apply_forwards();
    if (!applied)
        warning::tell_not_repaired(
            rooms_.warnings, warning::Severity::critical, std::string(warning::network_entity),
            "berth's nftables table cannot be written, so ports may lead nowhere and containers "
            "may reach what they should not",
            applied.error());
    return applied.has_value();
}

Result<> ContainerService::publish_keys(const store::Container& row) {
    std::vector<std::string> lines;
    for (const auto& key : BERTH_TRY(keys_.list_of(row.id))) lines.push_back(key.public_key);
    return ssh::write_authorized_keys(guest_directory(row.id), lines, row.uid_base);
}

std::vector<std::string> ContainerService::variables_of(const store::Container& row) const {
    auto variables = ssh::read_environment(guest_directory(row.id));
    variables.insert(variables.end(), row.environment.begin(), row.environment.end());
    return variables;
}

Result<> ContainerService::publish_environment(const store::Container& row) const {
    return ssh::write_sshd_config(guest_directory(row.id), variables_of(row), row.uid_base);
}

Result<> ContainerService::make(const store::Container& row, const CreateWish& wish,
                                const image::Image& image, const std::string& private_host_key,
                                const Waiting& waiting) {
    BERTH_TRY(go_on(waiting, 0, "making its files"));
    BERTH_TRY(ssh::write_service_files(guest_directory(row.id), private_host_key, row.uid_base));
    // The disk takes its time, and all of it passes while the container boots.
    auto kept = std::async(std::launch::async, [directory = guest_directory(row.id)] {
        return ssh::keep_service_files(directory);
    });
    BERTH_TRY(rooms_.engine.create(
        BERTH_TRY(spec_of(row, image)),
        wish.origin ? seeds_of_copy(row.name, *wish.origin) : seeds(hostname_of(row))));
    if (wish.start) BERTH_TRY(bring_up(row, image, waiting));
    if (!wish.start) BERTH_TRY(publish_keys(row));
    BERTH_TRY(go_on(waiting, steps_of_bring_up, "opening its ports"));
    if (!wish.ports.empty()) BERTH_TRY(apply_forwards());
    BERTH_TRY(fault::at("container.ready"));
    BERTH_TRY(kept.get());
    return containers_.set_phase(row.id, store::Phase::ready);
}

Result<> ContainerService::bring_up(const store::Container& row, const image::Image& image,
                                    const Waiting& waiting) {
    BERTH_TRY(go_on(waiting, 1, "starting it"));
    BERTH_TRY(check_nesting(row.nesting, ""));
    BERTH_TRY(publish_keys(row));
    BERTH_TRY(publish_environment(row));
    rooms_.agents.forget(row.id);
    auto spec = BERTH_TRY(spec_of(row, image));
    const auto unfielded = [](Error error) { return fail(std::move(error).at("")); };
    for (const auto& share : row.shares) {
        auto found = options_.shares.find(share);
        if (!found) return unfielded(found.error());
        spec.shares.push_back(*std::move(found));
    }
    if (auto given = add_devices(row, spec); !given) return unfielded(given.error());
    BERTH_TRY(open_guest_socket(row));  // before init could look for it
    if (auto started = rooms_.engine.start(spec); !started) return unfielded(started.error());
    note_use(row);
    BERTH_TRY(open_entries(row));
    // Running is a claim and a login the proof: sshd is put in there as any command is.
    BERTH_TRY(go_on(waiting, 2, "waiting until SSH answers"));
    const auto answered = prove(row.id, waiting, [&] { return rooms_.logins.prove(row.ssh_port); });
    if (!answered) {
        BERTH_TRY(run_probe(row.id, waiting));  // when nothing runs there, it says why
        return answered;
    }
    if (!spec.driver.library_folders.empty()) list_libraries(row, waiting);
    boots_.add(row.id);
    return {};
}

Result<> ContainerService::run_probe(const std::string& id, const Waiting& waiting) {
    const auto probe = BERTH_TRY(rooms_.executor.run(
        id, {.launch = {.argv = {"true"}}, .timeout = probe_time_max}, waiting.cancelled));
    if (probe.exit_code == 0) return {};
    return fail(ErrorCode::unavailable, "the container started and could not run a command");
}

/// On a busy machine a boot takes a moment longer to make what a login needs.
Result<> ContainerService::prove(const std::string& id, const Waiting& waiting,
                                 const std::function<Result<>()>& attempt) {
    const auto deadline = std::chrono::steady_clock::now() + probe_time_max;
    for (;;) {
        auto proved = attempt();
        const bool may_come = !proved && proved.error().code == ErrorCode::unavailable &&
                              !waiting.cancelled.stop_requested() &&
                              std::chrono::steady_clock::now() < deadline &&
                              rooms_.engine.running(id);
        if (!may_come) return proved;
        std::this_thread::sleep_for(probe_pause);
    }
}

Result<View> ContainerService::create(const CreateWish& wish, const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(wish.name, "create", waiting));
    const UnderWay::One one(creates_);
    BERTH_TRY(check_wish(wish));
    const auto image = BERTH_TRY(image_of(wish));
    if (auto claimed = BERTH_TRY(claim(wish, image, waiting))) return *std::move(claimed);
    return create_anew(wish, image, waiting);
}

Result<View> ContainerService::create_anew(const CreateWish& wish, const image::Image& image,
                                           const Waiting& waiting) {
    const auto host_key = BERTH_TRY(ssh::generate_host_key());
    auto row = row_of(wish, image, host_key.public_key);
    const auto inventory = BERTH_TRY(inventory_for(wish));
    auto reserved = rooms_.database.transact_soon([&] { return reserve(row, wish, inventory); });
    // What is deleted already makes room, and then what waits for nobody in particular.
    while (!reserved && reserved.error().code == ErrorCode::quota_exceeded &&
           reserved.error().field.empty()) {
        if (!remains_.wait_next(room_time_max, waiting.cancelled)) {
            const auto evicted = waiting_.take_if([](const Waiter&) { return true; });
            if (!evicted) break;
            discard(evicted->row);
            continue;
        }
        reserved = rooms_.database.transact_soon([&] { return reserve(row, wish, inventory); });
    }
    BERTH_TRY(std::move(reserved));
    Rollback undo;
    undo.on_failure([this, row]() noexcept { discard(row); });
    const auto made = make(row, wish, image, host_key.private_key, waiting);
    if (!made) {
        return fail(told(made.error(), waiting, "what was begun has been undone")
                        .in(fmt::format("create container '{}'", row.name)));
    }
    undo.keep();
    rooms_.events.container(row.name, "created");
    return view(BERTH_TRY(find(row.name)));
}

Result<> ContainerService::start_held(const store::Container& row, const Waiting& waiting) {
    const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
    Rollback undo;
    undo.on_failure([this, row]() noexcept {
        rest_entries(row);
        (void)rooms_.engine.stop(row.id, 0);
    });
    const auto up = [&]() -> Result<> {
        BERTH_TRY(bring_up(row, image, waiting));
        BERTH_TRY(fault::at("container.started"));
        return containers_.set_wanted_running(row.id, true);
    }();
    if (!up) {
        return fail(told(up.error(), waiting, "it is stopped again")
                        .in(fmt::format("start container '{}'", row.name)));
    }
    undo.keep();
    made_right(row);
    return {};
}

void ContainerService::made_right(const store::Container& row) {
    const auto entity = warning::container_entity(row.name);
    rooms_.warnings.resolve(warning::container_not_started, entity);
    rooms_.warnings.resolve(warning::reconcile_failed, entity);
}

Result<View> ContainerService::start(const ContainerName& name, const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "start", waiting));
    const auto row = BERTH_TRY(find_ready(name));
    if (rooms_.engine.frozen(row.id)) return fail(paused_error(row, "/name"));
    if (!rooms_.engine.running(row.id)) {
        BERTH_TRY(start_held(row, waiting));
    } else {
        BERTH_TRY(containers_.set_wanted_running(row.id, true));
    }
    rooms_.events.container(row.name, "started");
    return view(BERTH_TRY(find(row.name)));
}

Result<View> ContainerService::stop(const ContainerName& name, int timeout_seconds,
                                    const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "stop", waiting));
    const auto row = BERTH_TRY(find_ready(name));
    BERTH_TRY(stop_held(row, timeout_seconds));
    return view(BERTH_TRY(find(row.name)));
}

Result<> ContainerService::stop_held(const store::Container& row, int timeout_seconds) {
    BERTH_TRY(containers_.set_wanted_running(row.id, false));
    Rollback undo;
    undo.on_failure([this, row]() noexcept {
        if (!rooms_.engine.running(row.id)) return;
        (void)containers_.set_wanted_running(row.id, row.wanted_running);
        (void)open_entries(row);
    });
    BERTH_TRY(fault::at("container.stop"));
    rest_entries(row);
    BERTH_TRY(rooms_.engine.stop(row.id, timeout_seconds));
    undo.keep();
    made_right(row);
    rooms_.agents.forget(row.id);
    rooms_.events.container(row.name, "stopped");
    return {};
}

Result<> ContainerService::remove(const ContainerName& name, bool force, const Waiting& waiting) {
    const auto held = BERTH_TRY(hold(name, "delete", waiting));
    const auto row = BERTH_TRY(find(name.to_string()));
    if (row.life.is_protected && row.phase == store::Phase::ready) {
        return fail(protected_error(row));
    }
    if (!force && row.phase == store::Phase::ready && rooms_.engine.running(row.id)) {
        return fail(make_error(ErrorCode::busy, fmt::format("container '{}' is running", row.name))
                        .at("/name")
                        .next("pass force: true, or stop it first")
                        .call("container_stop", {{"name", row.name}}));
    }
    remains_.wait_fewer(remains_max, room_time_max, waiting.cancelled);
    return take_down(row);
}

Result<View> ContainerService::get(const ContainerName& name) {
    return view(BERTH_TRY(find(name.to_string())));
}

Result<std::vector<View>> ContainerService::list() {
    std::map<std::string, std::vector<store::Port>> ports;
    for (auto& port : BERTH_TRY(ports_.list())) ports[port.container_id].push_back(std::move(port));
    const auto keys = BERTH_TRY(keys_.counts());
    std::map<std::string, std::vector<std::string>> gpus;
    for (auto& lease : BERTH_TRY(devices_.leases()))
        gpus[lease.container_id].push_back(std::move(lease.gpu));
    std::vector<View> views;
    for (auto& row : BERTH_TRY(containers_.list())) {
        View view{.row = std::move(row)};
        view.state = state_of(view.row);
        view.ports = std::move(ports[view.row.id]);
        view.gpus = std::move(gpus[view.row.id]);
        const auto count = keys.find(view.row.id);
        view.ssh_keys = count == keys.end() ? 0 : count->second;
        views.push_back(std::move(view));
    }
    return views;
}

Result<exec::KeptOutputs::Part> ContainerService::read_output(const ContainerName& name,
                                                              const OutputId& id,
                                                              std::int64_t offset,
                                                              std::size_t bytes_max) {
    const auto row = find(name.to_string());
    if (!row) return fail(Error(row.error()).at("/container"));
    return rooms_.executor.outputs().read(row->id, id.to_string(), offset, bytes_max);
}

Result<exec::Outcome> ContainerService::run(const ContainerName& name, const exec::Request& request,
                                            const std::stop_token& cancelled) {
    const auto row = find_ready(name);
    if (!row) return fail(Error(row.error()).at("/container"));
    const auto used = use(*row);  // from here on it is not idle
    BERTH_TRY(make_usable(name, cancelled));
    // Of two values the command gets the later one.
    auto equipped = request;
    equipped.launch.environment = variables_of(*row);
    const auto& asked = request.launch.environment;
    equipped.launch.environment.insert(equipped.launch.environment.end(), asked.begin(),
                                       asked.end());
    return rooms_.executor.run(row->id, equipped, cancelled);
}

}  // namespace berth::container
