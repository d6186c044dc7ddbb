// SPDX-License-Identifier: Apache-2.0
// What can be added to a container while it lives: port forwards and SSH keys.
#include "base/fault.h"
#include "base/rollback.h"
#include "host/container/container_service.h"
#include "host/ssh/keys.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

namespace berth::container {

Result<store::Port> ContainerService::add_port(const ContainerName& name, const PortWish& wish) {
    const auto held = locks_.hold(name.to_string());
    auto row = find_ready(name);
    if (!row) return fail(std::move(row).error().at("/container"));
    store::Port port;
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        port = BERTH_TRY(reserve_another(*row, wish));
        return containers_.count_change(row->id);
    }));
    Rollback undo;
    undo.on_failure(
        [this, port]() noexcept { (void)ports_.remove(port.protocol, port.host_port); });
    BERTH_TRY(fault::at("port.added"));
    BERTH_TRY(apply_forwards());
    undo.keep();
    rooms_.events.container(name.to_string(), "updated");
    return port;
}

Result<store::Port> ContainerService::rehearse_add_port(const ContainerName& name,
                                                        const PortWish& wish) {
    auto row = find_ready(name);
    if (!row) return fail(std::move(row).error().at("/container"));
    store::Port port;
    BERTH_TRY(rooms_.database.rehearse([&]() -> Result<> {
        port = BERTH_TRY(reserve_another(*row, wish));
        return {};
    }));
    return port;
}

Result<std::pair<store::Port, View>> ContainerService::find_port(const std::string& protocol,
                                                                 std::int64_t host_port) {
    if (const auto found = BERTH_TRY(ports_.find(protocol, host_port))) {
        for (auto& row : BERTH_TRY(containers_.list())) {
            if (row.id == found->container_id)
                return std::pair(*found, BERTH_TRY(view(std::move(row))));
        }
    }
    return fail(make_error(ErrorCode::not_found,
                           fmt::format("{} port {} is not forwarded", protocol, host_port))
                    .at("/host_port")
                    .call("port_list", Json::object()));
}

Result<std::pair<store::Port, std::string>> ContainerService::remove_port(
    const std::string& protocol, std::int64_t host_port) {
    const auto name = BERTH_TRY(find_port(protocol, host_port)).second.row.name;
    const auto held = locks_.hold(name);
    const auto found = BERTH_TRY(find_port(protocol, host_port));  // as it is now
    BERTH_TRY(rooms_.database.transact([&]() -> Result<> {
        BERTH_TRY(ports_.remove(protocol, host_port));
        return containers_.count_change(found.first.container_id);
    }));
    Rollback undo;
    undo.on_failure([this, port = found.first]() noexcept { (void)ports_.insert(port); });
    BERTH_TRY(fault::at("port.removed"));
    BERTH_TRY(apply_forwards());
    undo.keep();
    rooms_.events.container(found.second.row.name, "updated");
    return std::pair(found.first, found.second.row.name);
}

Result<KeyAdded> ContainerService::add_key(const ContainerName& name, const SshPublicKey& key) {
    const auto held = locks_.hold(name.to_string());
    auto row = find_ready(name);
    if (!row) return fail(std::move(row).error().at("/container"));
    KeyAdded added{.fingerprint = ssh::fingerprint(key)};
    Rollback undo;
    undo.on_failure([this, row = *row]() noexcept { (void)publish_keys(row); });
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
        if (added.added) BERTH_TRY(containers_.count_change(row->id));
        // Inside, so that a key that could not be written is not kept either.
        BERTH_TRY(publish_keys(*row));
        return fault::at("ssh.key_added");
    }));
    undo.keep();
    if (added.added) rooms_.events.container(name.to_string(), "updated");
    return added;
}

}  // namespace berth::container
