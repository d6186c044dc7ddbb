// SPDX-License-Identifier: Apache-2.0
#include "host/store/snapshots.h"

#include <fmt/format.h>

namespace berth::store {
namespace {

constexpr std::string_view select_snapshots =
    "SELECT container_id, snapshots.name, description, layer_id, snapshots.created_at,"
    " containers.name, layers.bytes, layers.exact FROM snapshots"
    " JOIN containers ON containers.id = container_id JOIN layers ON layers.id = layer_id";

Snapshot to_snapshot(const Row& row) {
    return {.container_id = text(row[0]),
            .name = text(row[1]),
            .description = text(row[2]),
            .layer_id = text(row[3]),
            .created_at = text(row[4]),
            .container = text(row[5]),
            .bytes = integer(row[6]),
            .exact = integer(row[7]) != 0};
}

}  // namespace

Result<> Snapshots::insert(const Snapshot& snapshot) {
    auto inserted = database_.run(
        "INSERT INTO snapshots (container_id, name, description, layer_id, created_at) "
        "VALUES (?, ?, ?, ?, ?)",
        {snapshot.container_id, snapshot.name, snapshot.description, snapshot.layer_id,
         snapshot.created_at});
    if (inserted) return {};
    Error error = std::move(inserted).error();
    if (error.code != ErrorCode::already_exists) return fail(std::move(error));
    return fail(make_error(ErrorCode::already_exists,
                           fmt::format("there is a snapshot '{}' already", snapshot.name))
                    .at("/name")
                    .next("choose another name, or leave it out"));
}

Result<> Snapshots::remove(std::string_view container_id, std::string_view name) {
    BERTH_TRY(database_.run("DELETE FROM snapshots WHERE container_id = ? AND name = ?",
                            {std::string(container_id), std::string(name)}));
    return {};
}

Result<std::optional<Snapshot>> Snapshots::find(std::string_view container_id,
                                                std::string_view name) {
    const auto rows = BERTH_TRY(database_.read(
        fmt::format("{} WHERE container_id = ? AND snapshots.name = ?", select_snapshots),
        {std::string(container_id), std::string(name)}));
    return rows.empty() ? std::nullopt : std::optional(to_snapshot(rows.front()));
}

Result<std::vector<Snapshot>> Snapshots::list(std::string_view container_id) {
    std::vector<Snapshot> out;
    const auto rows = BERTH_TRY(database_.read(
        fmt::format("{} WHERE ? IN ('', container_id) ORDER BY containers.name, number",
                    select_snapshots),
        {std::string(container_id)}));
    for (const Row& row : rows) out.push_back(to_snapshot(row));
    return out;
}

}  // namespace berth::store
