// SPDX-License-Identifier: Apache-2.0
#include "host/store/devices.h"

#include <fmt/format.h>

namespace berth::store {
namespace {

constexpr std::string_view select_leases =
    "SELECT container_id, gpu, card, since, by_cdi, owner FROM gpu_leases";

std::vector<GpuLease> to_leases(const std::vector<Row>& rows) {
    std::vector<GpuLease> out;
    for (const Row& row : rows) {
        out.push_back({.container_id = text(row[0]),
                       .gpu = text(row[1]),
                       .card = text(row[2]),
                       .since = text(row[3]),
                       .by_cdi = integer(row[4]) != 0,
                       .owner = text(row[5])});
    }
    return out;
}

}  // namespace

Result<> Devices::insert(const GpuLease& lease) {
    BERTH_TRY(
        database_.run("INSERT INTO gpu_leases (container_id, gpu, card, since, by_cdi, owner) "
                      "VALUES (?, ?, ?, ?, ?, ?)",
                      {lease.container_id, lease.gpu, lease.card, lease.since,
                       static_cast<std::int64_t>(lease.by_cdi), lease.owner}));
    return {};
}

Result<> Devices::remove(std::string_view container_id, std::string_view gpu) {
    BERTH_TRY(database_.run("DELETE FROM gpu_leases WHERE container_id = ? AND gpu = ?",
                            {std::string(container_id), std::string(gpu)}));
    return {};
}

Result<std::vector<GpuLease>> Devices::leases() {
    return to_leases(
        BERTH_TRY(database_.read(fmt::format("{} ORDER BY gpu, container_id", select_leases), {})));
}

Result<std::vector<GpuLease>> Devices::leases_of(std::string_view container_id) {
    return to_leases(BERTH_TRY(
        database_.read(fmt::format("{} WHERE container_id = ? ORDER BY gpu", select_leases),
                       {std::string(container_id)})));
}

Result<> Devices::insert_cdi(std::string_view container_id, std::string_view name) {
    BERTH_TRY(database_.run("INSERT INTO cdi_devices (container_id, name) VALUES (?, ?)",
                            {std::string(container_id), std::string(name)}));
    return {};
}

Result<std::vector<std::string>> Devices::cdi_of(std::string_view container_id) {
    std::vector<std::string> names;
    for (const Row& row : BERTH_TRY(
             database_.read("SELECT name FROM cdi_devices WHERE container_id = ? ORDER BY name",
                            {std::string(container_id)})))
        names.push_back(text(row[0]));
    return names;
}

}  // namespace berth::store
