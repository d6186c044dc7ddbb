// SPDX-License-Identifier: Apache-2.0
#include "host/container/container_service.h"

#include "base/files.h"
#include "host/ssh/guest_files.h"
#include "host/ssh/keys.h"

#include <fmt/format.h>

namespace berth::container {
namespace {

constexpr std::size_t id_bytes = 5;
constexpr auto probe_time_max = std::chrono::seconds(20);

Error no_such(std::string_view name) {
    return make_error(ErrorCode::not_found, fmt::format("there is no container '{}'", name))
        .at("/name")
        .next("call container_list");
}

/// What a fresh container needs to know of itself, before its first start.
std::vector<engine::SeedFile> seeds(const std::string& name) {
    return {{.path = "etc/hostname", .content = name + "\n"},
            {.path = "etc/hosts",
             .content = fmt::format(
                 "127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost ip6-localhost ip6-loopback\n",
                 name)},
            {.path = "etc/resolv.conf", .content = net::resolv_conf()}};
}

}  // namespace

ContainerService::ContainerService(ServiceOptions options, net::AddressPlan plan, Rooms rooms)
    : options_(std::move(options)),
      plan_(plan),
      rooms_(rooms),
      containers_(rooms.database),
      ports_(rooms.database),
      keys_(rooms.database) {}

std::filesystem::path ContainerService::guest_directory(std::string_view id) const {
    return options_.state_dir / "containers" / id / "guest";
}

Result<store::Container> ContainerService::find(std::string_view name) {
    auto row = BERTH_TRY(containers_.find_by_name(name));
    if (!row) return fail(no_such(name));
    return *std::move(row);
}

Result<store::Container> ContainerService::find_ready(const ContainerName& name) {
    auto row = BERTH_TRY(find(name.to_string()));
    if (row.phase != store::Phase::ready) {
        return fail(
            make_error(ErrorCode::busy,
                       fmt::format("container '{}' is being {}", name.to_string(),
                                   row.phase == store::Phase::creating ? "created" : "deleted"))
                .at("/name")
                .next("wait a moment and call container_get"));
    }
    return row;
}

Result<View> ContainerService::view(store::Container row) {
    View view{.row = std::move(row), .state = State::stopped, .ports = {}, .ssh_keys = 0};
    switch (view.row.phase) {
        case store::Phase::creating:
            view.state = State::creating;
            break;
        case store::Phase::deleting:
            view.state = State::deleting;
            break;
        case store::Phase::ready:
            view.state = rooms_.engine.running(view.row.id) ? State::running : State::stopped;
            break;
    }
    view.ports = BERTH_TRY(ports_.list_of(view.row.id));
    view.ssh_keys = static_cast<std::int64_t>(BERTH_TRY(keys_.list_of(view.row.id)).size());
    return view;
}

engine::Spec ContainerService::spec_of(const store::Container& row,
                                       const image::Image& image) const {
    return {.id = row.id,
            .hostname = row.name,
            .base = image.rootfs,
            .uid_base = row.uid_base,
            .limits = {.memory_bytes = row.memory_bytes,
                       .cpu_percent = row.cpu_percent,
                       .processes = row.processes},
            .network = {.bridge = options_.bridge,
                        .mac = net::mac_of(row.ipv4),
                        .ipv4 = row.ipv4,
                        .prefix_length = plan_.subnet().prefix_length(),
                        .gateway = plan_.subnet().gateway()},
            .host_files = guest_directory(row.id)};
}

Result<> ContainerService::apply_forwards() {
    const std::lock_guard lock(forwards_mutex_);
    std::map<std::string, std::string> addresses;
    for (const auto& row : BERTH_TRY(containers_.list())) addresses.emplace(row.id, row.ipv4);
    std::vector<net::Forward> forwards;
    for (const auto& port : BERTH_TRY(ports_.list())) {
        forwards.push_back({.protocol = port.protocol,
                            .host_port = port.host_port,
                            .ipv4 = addresses.at(port.container_id),
                            .container_port = port.container_port});
    }
    return rooms_.network.apply(forwards);
}

Result<> ContainerService::publish_keys(const store::Container& row) {
    std::vector<std::string> lines;
    for (const auto& key : BERTH_TRY(keys_.list_of(row.id))) lines.push_back(key.public_key);
    return ssh::write_authorized_keys(guest_directory(row.id), lines, row.uid_base);
}

Result<store::Container> ContainerService::reserve(const CreateWish& wish,
                                                   const image::Image& image,
                                                   std::string host_key) {
    store::Container row;
    row.id = random_hex(id_bytes);
    row.name = wish.name.to_string();
    row.wanted_running = wish.start;
    row.image = image.name;
    row.image_digest = image.digest;
    row.memory_bytes = wish.limits.memory_bytes;
    row.cpu_percent = wish.limits.cpu_percent;
    row.processes = wish.limits.processes;
    row.host_key = std::move(host_key);
    row.created_at = to_rfc3339(rooms_.clock.wall());
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        constexpr int attempts_max = 100;  // SSH ports that some service of the host took before us
        for (int attempt = 0; attempt < attempts_max; ++attempt) {
            row.slot = BERTH_TRY(containers_.next_slot(plan_.slots()));
            row.uid_base = plan_.uid_base(row.slot);
            row.ipv4 = plan_.ipv4(row.slot);
            row.ssh_port = plan_.ssh_port(row.slot);
            if (rooms_.network.check_free("tcp", row.ssh_port)) break;
        }
        BERTH_TRY(containers_.insert(row));
        for (std::size_t index = 0; index < wish.ports.size(); ++index) {
            auto reserved = reserve_port(row.id, wish.ports[index]);
            if (!reserved)
                return fail(
                    std::move(reserved).error().at(fmt::format("/ports/{}/host_port", index)));
        }
        for (const auto& key : wish.ssh_keys)
            (void)BERTH_TRY(keys_.insert({.container_id = row.id,
                                          .fingerprint = ssh::fingerprint(key),
                                          .public_key = key.to_string()}));
        return {};
    }));
    return row;
}

Result<> ContainerService::make(const store::Container& row, const image::Image& image,
                                const std::string& private_host_key) {
    BERTH_TRY(ssh::write_service_files(guest_directory(row.id), private_host_key, row.uid_base));
    return rooms_.engine.create(spec_of(row, image), seeds(row.name));
}

Result<> ContainerService::bring_up(const store::Container& row, const image::Image& image) {
    BERTH_TRY(publish_keys(row));
    rooms_.agents.forget(row.id);
    BERTH_TRY(rooms_.engine.start(spec_of(row, image)));
    BERTH_TRY(rooms_.logins.open(row.id, row.ssh_port));
    // Running is a claim; these two are the proof.
    const auto probe = BERTH_TRY(
        rooms_.executor.run(row.id, {.launch = {.argv = {"true"}}, .timeout = probe_time_max}));
    if (probe.exit_code != 0)
        return fail(ErrorCode::unavailable, "the container started and could not run a command");
    return rooms_.logins.prove(row.ssh_port);
}

Result<> ContainerService::take_down(const store::Container& row) {
    rooms_.logins.close(row.id);
    rooms_.agents.forget(row.id);
    BERTH_TRY(rooms_.engine.destroy(row.id));
    BERTH_TRY(containers_.remove(row.id));
    return apply_forwards();
}

Result<View> ContainerService::create(const CreateWish& wish) {
    const auto held = locks_.hold(wish.name.to_string());
    const auto image = BERTH_TRY(rooms_.images.find(wish.image));
    const auto host_key = BERTH_TRY(ssh::generate_host_key());
    const auto row = BERTH_TRY(reserve(wish, image, host_key.public_key));
    Rollback undo;
    undo.on_failure(
        [this, row]() noexcept { (void)take_down(row); });  // what fails here, the reconciler ends
    const auto made = [&]() -> Result<> {
        BERTH_TRY(make(row, image, host_key.private_key));
        if (wish.start) BERTH_TRY(bring_up(row, image));
        if (!wish.start) BERTH_TRY(publish_keys(row));
        if (!wish.ports.empty()) BERTH_TRY(apply_forwards());
        return containers_.set_phase(row.id, store::Phase::ready);
    }();
    if (!made) return fail(Error(made.error()).in(fmt::format("create container '{}'", row.name)));
    undo.keep();
    return view(BERTH_TRY(find(row.name)));
}

Result<View> ContainerService::get(const ContainerName& name) {
    return view(BERTH_TRY(find(name.to_string())));
}

Result<std::vector<View>> ContainerService::list() {
    std::vector<View> views;
    for (auto& row : BERTH_TRY(containers_.list()))
        views.push_back(BERTH_TRY(view(std::move(row))));
    return views;
}

Result<View> ContainerService::start(const ContainerName& name) {
    const auto held = locks_.hold(name.to_string());
    const auto row = BERTH_TRY(find_ready(name));
    if (!rooms_.engine.running(row.id)) {
        const auto image = BERTH_TRY(rooms_.images.find_digest(row.image_digest));
        Rollback undo;
        undo.on_failure([this, row]() noexcept {
            rooms_.logins.close(row.id);
            (void)rooms_.engine.stop(row.id, 0);
        });
        auto up = bring_up(row, image);
        if (!up)
            return fail(std::move(up).error().in(fmt::format("start container '{}'", row.name)));
        undo.keep();
    }
    BERTH_TRY(containers_.set_wanted_running(row.id, true));
    return view(BERTH_TRY(find(row.name)));
}

Result<View> ContainerService::stop(const ContainerName& name, int timeout_seconds) {
    const auto held = locks_.hold(name.to_string());
    const auto row = BERTH_TRY(find_ready(name));
    BERTH_TRY(containers_.set_wanted_running(row.id, false));
    rooms_.logins.close(row.id);
    BERTH_TRY(rooms_.engine.stop(row.id, timeout_seconds));
    rooms_.agents.forget(row.id);
    return view(BERTH_TRY(find(row.name)));
}

Result<> ContainerService::remove(const ContainerName& name, bool force) {
    const auto held = locks_.hold(name.to_string());
    const auto row = BERTH_TRY(find(name.to_string()));
    if (!force && row.phase == store::Phase::ready && rooms_.engine.running(row.id)) {
        return fail(make_error(ErrorCode::busy, fmt::format("container '{}' is running", row.name))
                        .at("/name")
                        .next("call container_stop first, or pass force: true"));
    }
    BERTH_TRY(containers_.set_phase(row.id, store::Phase::deleting));
    return take_down(row);
}

Result<exec::Outcome> ContainerService::run(const ContainerName& name, const exec::Request& request,
                                            const std::stop_token& cancelled) {
    auto row = find_ready(name);
    if (!row) return fail(std::move(row).error().at("/container"));
    if (!rooms_.engine.running(row->id)) {
        return fail(make_error(ErrorCode::busy, fmt::format("container '{}' is stopped", row->name))
                        .at("/container")
                        .next("call container_start"));
    }
    return rooms_.executor.run(row->id, request, cancelled);
}

}  // namespace berth::container
