// SPDX-License-Identifier: Apache-2.0
#include "host/store/ports.h"

#include "tools-schema/contract/json.h"

#include <fmt/format.h>

namespace berth::store {
namespace {

constexpr std::string_view select_ports =
    "SELECT container_id, protocol, host_port, container_port, created_at FROM ports";

std::vector<Port> to_ports(const std::vector<Row>& rows) {
    std::vector<Port> out;
    for (const Row& row : rows) {
        out.push_back({.container_id = text(row[0]),
                       .protocol = text(row[1]),
                       .host_port = integer(row[2]),
                       .container_port = integer(row[3]),
                       .created_at = text(row[4])});
    }
    return out;
}

}  // namespace

Result<> Ports::insert(const Port& port) {
    auto inserted = database_.run(
        "INSERT INTO ports (container_id, protocol, host_port, container_port, created_at) "
        "VALUES (?, ?, ?, ?, ?)",
        {port.container_id, port.protocol, port.host_port, port.container_port, port.created_at});
    if (inserted) return {};
    Error error = std::move(inserted).error();
    if (error.code != ErrorCode::already_exists) return fail(std::move(error));
    return fail(make_error(ErrorCode::already_exists,
                           fmt::format("{} port {} of the host is forwarded already", port.protocol,
                                       port.host_port))
                    .at("/host_port")
                    .next("leave host_port out to get a free one")
                    .call("port_list", Json::object()));
}

Result<> Ports::remove(std::string_view protocol, std::int64_t host_port) {
    const auto rows = BERTH_TRY(database_.run(
        "DELETE FROM ports WHERE protocol = ? AND host_port = ? RETURNING container_id",
        {std::string(protocol), host_port}));
    if (!rows.empty()) return {};
    return fail(
        make_error(ErrorCode::not_found,
                   fmt::format("{} port {} of the host is not forwarded", protocol, host_port))
            .at("/host_port")
            .call("port_list", Json::object()));
}

Result<std::optional<Port>> Ports::find(std::string_view protocol, std::int64_t host_port) {
    const auto found = to_ports(BERTH_TRY(
        database_.read(fmt::format("{} WHERE protocol = ? AND host_port = ?", select_ports),
                       {std::string(protocol), host_port})));
    return found.empty() ? std::nullopt : std::optional(found.front());
}

Result<std::vector<Port>> Ports::list() {
    return to_ports(
        BERTH_TRY(database_.read(fmt::format("{} ORDER BY protocol, host_port", select_ports))));
}

Result<std::vector<Port>> Ports::list_of(std::string_view container_id) {
    return to_ports(BERTH_TRY(database_.read(
        fmt::format("{} WHERE container_id = ? ORDER BY protocol, host_port", select_ports),
        {std::string(container_id)})));
}

}  // namespace berth::store
