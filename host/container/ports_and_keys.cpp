// SPDX-License-Identifier: Apache-2.0
// What can be added to a container while it lives: port forwards and SSH keys.
#include "host/container/container_service.h"
#include "host/ssh/keys.h"

#include <fmt/format.h>

namespace berth::container {

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
            .next("remove a forward with port_remove, or name a host_port outside that range"));
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
                        .next("choose another host_port, leave it out to get a free one, or call "
                              "port_remove first"));
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
                     .container_port = wish.container_port};
    BERTH_TRY(ports_.insert(port));
    return port;
}

Result<store::Port> ContainerService::add_port(const ContainerName& name, const PortWish& wish) {
    const auto held = locks_.hold(name.to_string());
    auto row = find_ready(name);
    if (!row) return fail(std::move(row).error().at("/container"));
    store::Port port;
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        if (BERTH_TRY(ports_.list_of(row->id)).size() >= ports_per_container_max) {
            return fail(make_error(ErrorCode::quota_exceeded,
                                   fmt::format("a container has at most {} forwarded ports",
                                               ports_per_container_max))
                            .at("/container")
                            .next("call port_remove"));
        }
        port = BERTH_TRY(reserve_port(row->id, wish));
        return {};
    }));
    Rollback undo;
    undo.on_failure(
        [this, port]() noexcept { (void)ports_.remove(port.protocol, port.host_port); });
    BERTH_TRY(apply_forwards());
    undo.keep();
    return port;
}

Result<std::pair<store::Port, std::string>> ContainerService::remove_port(
    const std::string& protocol, std::int64_t host_port) {
    const auto found = BERTH_TRY(ports_.find(protocol, host_port));
    if (!found) {
        return fail(make_error(ErrorCode::not_found,
                               fmt::format("{} port {} is not forwarded", protocol, host_port))
                        .at("/host_port")
                        .next("call port_list"));
    }
    std::string name;
    for (const auto& row : BERTH_TRY(containers_.list())) {
        if (row.id == found->container_id) name = row.name;
    }
    const auto held = locks_.hold(name);
    BERTH_TRY(ports_.remove(protocol, host_port));
    BERTH_TRY(apply_forwards());
    return std::pair(*found, name);
}

Result<KeyAdded> ContainerService::add_key(const ContainerName& name, const SshPublicKey& key) {
    const auto held = locks_.hold(name.to_string());
    auto row = find_ready(name);
    if (!row) return fail(std::move(row).error().at("/container"));
    KeyAdded added{.fingerprint = ssh::fingerprint(key)};
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        added.added = BERTH_TRY(keys_.insert({.container_id = row->id,
                                              .fingerprint = added.fingerprint,
                                              .public_key = key.to_string()}));
        added.keys = static_cast<std::int64_t>(BERTH_TRY(keys_.list_of(row->id)).size());
        if (static_cast<std::size_t>(added.keys) > ssh_keys_per_container_max) {
            return fail(
                make_error(ErrorCode::quota_exceeded, fmt::format("a container has at most {} keys",
                                                                  ssh_keys_per_container_max))
                    .at("/container"));
        }
        return publish_keys(
            *row);  // inside, so that a key that could not be written is not kept either
    }));
    return added;
}

}  // namespace berth::container
