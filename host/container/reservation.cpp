// SPDX-License-Identifier: Apache-2.0
// What a container gets that nobody else may have: its row with everything that derives from its
// slot, and ports of the host. Everything here happens inside a transaction, which is kept for the
// call itself and given up for a look at what it would do.
#include "base/fault.h"
#include "base/files.h"
#include "host/container/container_service.h"
#include "host/container/environment.h"
#include "host/ssh/keys.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

namespace berth::container {
namespace {

constexpr std::size_t id_bytes = 5;

}  // namespace

store::Container ContainerService::row_of(const CreateWish& wish, const image::Image& image,
                                          std::string host_key) const {
    store::Container row;
    row.id = random_hex(id_bytes);
    row.name = wish.name.to_string();
    row.wanted_running = wish.start;
    row.image = image.name;
    row.image_digest = image.digest;
    row.limits = to_store(wish.limits);
    row.host_key = std::move(host_key);
    row.created_at = to_rfc3339(rooms_.clock.wall());
    row.labels = wish.labels;
    row.life = wish.life;
    row.no_new_privileges = wish.no_new_privileges;
    row.nesting = wish.nesting;
    row.shares = wish.shares;
    row.environment = wish.environment;
    row.guest_socket = wish.guest_socket;
    row.life.used_at = now_ms();
    if (wish.ttl_seconds > 0) row.life.expires_at = now_ms() + wish.ttl_seconds * 1000;
    if (wish.start && row.life.after_stop == store::AfterStop::remove)
        row.life.after_stop = store::AfterStop::armed;
    return row;
}

Result<> ContainerService::reserve(store::Container& row, const CreateWish& wish,
                                   const std::vector<gpu::Gpu>& inventory) {
    constexpr int attempts_max = 100;  // SSH ports that some service of the host took before us
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        row.slot = BERTH_TRY(containers_.next_slot(plan_.slots()));
        row.uid_base = plan_.uid_base(row.slot);
        row.ipv4 = plan_.ipv4(row.slot);
        row.ssh_port = plan_.ssh_port(row.slot);
        if (rooms_.network.check_free("tcp", row.ssh_port)) break;
    }
    BERTH_TRY(containers_.insert(row));
    if (wish.with_row) BERTH_TRY(wish.with_row(row.id));
    if (wish.origin) BERTH_TRY(rooms_.layers.put(row.id, wish.origin->layer_id, ""));
    BERTH_TRY(reserve_wishes(row, wish));
    BERTH_TRY(lease(row, wish.gpus, wish.caller, inventory));
    BERTH_TRY(reserve_devices(row, wish, inventory));
    return fault::at("container.reserve");
}

Result<> ContainerService::reserve_wishes(const store::Container& row, const CreateWish& wish) {
    for (std::size_t index = 0; index < wish.ports.size(); ++index) {
        auto reserved = reserve_port(row.id, wish.ports[index]);
        if (!reserved)
            return fail(std::move(reserved).error().at(fmt::format("/ports/{}/host_port", index)));
    }
    for (const auto& key : wish.ssh_keys)
        (void)BERTH_TRY(keys_.insert({.container_id = row.id,
                                      .fingerprint = ssh::fingerprint(key),
                                      .public_key = key.to_string()}));
    return {};
}

Result<> ContainerService::check_limits(const engine::Limits& limits) const {
    BERTH_TRY(check_sizes(limits));
    return rooms_.engine.check(limits);
}

Result<> ContainerService::check_wish(const CreateWish& wish) const {
    BERTH_TRY(check_nesting(wish.nesting, "/nesting"));
    BERTH_TRY(check_environment(wish.environment));
    return check_limits(wish.limits);
}

Result<> ContainerService::check_nesting(bool wanted, std::string_view at) const {
    if (!wanted || options_.allow_nesting) return {};
    return fail(make_error(ErrorCode::denied,
                           "on this host no container may run containers of its own (nesting): "
                           "its operator has set allow_nesting = false")
                    .at(at)
                    .next("do without nesting, or ask the operator to allow it in "
                          "/etc/berth/berthd.toml"));
}

Result<View> ContainerService::rehearse_create(const CreateWish& wish) {
    BERTH_TRY(check_wish(wish));
    const auto image = BERTH_TRY(image_of(wish));
    View made{.row = row_of(wish, image, "")};
    const auto inventory = BERTH_TRY(inventory_for(wish));
    BERTH_TRY(rooms_.database.rehearse([&]() -> Result<> {
        BERTH_TRY(reserve(made.row, wish, inventory));
        for (auto& lease : BERTH_TRY(devices_.leases_of(made.row.id)))
            made.gpus.push_back(std::move(lease.gpu));
        return {};
    }));
    return made;
}

Result<std::int64_t> ContainerService::free_port(const std::string& protocol) {
    for (std::int64_t port = options_.forward_ports.first; port <= options_.forward_ports.last;
         ++port) {
        if (!BERTH_TRY(ports_.find(protocol, port)) && rooms_.network.check_free(protocol, port))
            return port;
    }
    return fail(
        make_error(ErrorCode::quota_exceeded,
                   fmt::format("every {} port from {} to {} is taken", protocol,
                               options_.forward_ports.first, options_.forward_ports.last))
            .at("/host_port")
            .next("remove a forward with port_remove, or name a host_port outside that range")
            .call("port_list", Json::object()));
}

Result<store::Port> ContainerService::reserve_port(std::string_view container_id,
                                                   const PortWish& wish) {
    const auto host_port = wish.host_port ? *wish.host_port : BERTH_TRY(free_port(wish.protocol));
    if (const auto taken = BERTH_TRY(ports_.find(wish.protocol, host_port))) {
        std::string holder = taken->container_id;
        for (const auto& row : BERTH_TRY(containers_.list())) {
            if (row.id == taken->container_id) holder = row.name;
        }
        return fail(make_error(ErrorCode::already_exists,
                               fmt::format("{} port {} already leads to container '{}', port {}",
                                           wish.protocol, host_port, holder, taken->container_port))
                        .at("/host_port")
                        .next("choose another host_port, or leave it out to get a free one")
                        .call("port_list", Json::object()));
    }
    // A login port of ours counts as a service of the host, also while nobody listens on it.
    const auto login_first = plan_.ssh_port(0);
    if (wish.protocol == "tcp" && host_port >= login_first &&
        host_port < login_first + plan_.slots()) {
        return fail(
            make_error(ErrorCode::busy,
                       fmt::format("tcp port {} belongs to the range {}-{} that is kept for SSH",
                                   host_port, login_first, login_first + plan_.slots() - 1))
                .at("/host_port")
                .next("choose a host_port outside that range, or leave it out"));
    }
    BERTH_TRY(rooms_.network.check_free(wish.protocol, host_port));
    store::Port port{.container_id = std::string(container_id),
                     .protocol = wish.protocol,
                     .host_port = host_port,
                     .container_port = wish.container_port,
                     .created_at = to_rfc3339(rooms_.clock.wall())};
    BERTH_TRY(ports_.insert(port));
    return port;
}

Result<store::Port> ContainerService::reserve_another(const store::Container& row,
                                                      const PortWish& wish) {
    if (BERTH_TRY(ports_.list_of(row.id)).size() >= ports_per_container_max) {
        return fail(make_error(ErrorCode::quota_exceeded,
                               fmt::format("a container has at most {} forwarded ports",
                                           ports_per_container_max))
                        .at("/container")
                        .next("remove one with port_remove")
                        .call("port_list", {{"container", row.name}}));
    }
    auto reserved = reserve_port(row.id, wish);
    if (reserved || !wish.host_port || reserved.error().field != "/host_port") return reserved;
    return fail(std::move(reserved)
                    .error()
                    .next("choose another host_port, or leave it out to get a free one")
                    .call("port_add", {{"container", row.name},
                                       {"container_port", wish.container_port},
                                       {"protocol", wish.protocol}}));
}

}  // namespace berth::container
