// SPDX-License-Identifier: Apache-2.0
// What a container is told of itself on its own socket: nothing of others, and nothing that lets
// anybody in.
#include "host/container/container_service.h"

#include <algorithm>

namespace berth::container {
namespace {

Json to_json(const store::Limits& limits) {
    return {{"memory_bytes", limits.memory_bytes},
            {"cpu_percent", limits.cpu_percent},
            {"processes", limits.processes},
            {"swap_bytes", limits.swap_bytes},
            {"disk_bytes", limits.disk_bytes},
            {"io_bytes_per_second", limits.io_bytes_per_second},
            {"io_operations_per_second", limits.io_operations_per_second},
            {"receive_bytes_per_second", limits.receive_bytes_per_second},
            {"send_bytes_per_second", limits.send_bytes_per_second}};
}

}  // namespace

Result<Json> ContainerService::about(const std::string& id) {
    const auto row = BERTH_TRY(containers_.find_by_id(id));
    if (!row || row->phase == store::Phase::deleting)
        return fail(ErrorCode::unavailable, "this container is being deleted");
    Json out{{"api_version", "1.0"}, {"name", row->name},
             {"id", row->id},        {"location", options_.location},
             {"image", row->image},  {"created_at", row->created_at},
             {"ipv4", row->ipv4},    {"ssh_port", row->ssh_port}};
    if (!options_.pool.empty()) out["pool"] = options_.pool;
    if (row->life.expires_at > 0) {
        out["ttl_seconds"] = std::max<std::int64_t>(0, (row->life.expires_at - now_ms()) / 1000);
    }
    out["limits"] = to_json(row->limits);
    out["ports"] = Json::array();
    for (const auto& port : BERTH_TRY(ports_.list_of(row->id)))
        out["ports"].push_back({{"protocol", port.protocol},
                                {"host_port", port.host_port},
                                {"container_port", port.container_port}});
    out["labels"] = Json::object();
    for (const auto& [key, value] : row->labels) out["labels"][key] = value;
    return out;
}

}  // namespace berth::container
