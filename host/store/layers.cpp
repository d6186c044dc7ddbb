// SPDX-License-Identifier: Apache-2.0
#include "host/store/layers.h"

namespace berth::store {
namespace {

Layer to_layer(const Row& row) {
    return {.id = text(row[0]),
            .parent = text(row[1]),
            .image_digest = text(row[2]),
            .uid_base = integer(row[3]),
            .bytes = integer(row[4]),
            .exact = integer(row[5]) != 0,
            .created_at = text(row[6])};
}

}  // namespace

Result<> Layers::insert(const Layer& layer) {
    BERTH_TRY(database_.run(
        "INSERT INTO layers (id, parent, image_digest, uid_base, bytes, exact, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        {layer.id, layer.parent.empty() ? Value(nullptr) : Value(layer.parent), layer.image_digest,
         layer.uid_base, layer.bytes, std::int64_t{layer.exact}, layer.created_at}));
    return {};
}

Result<std::vector<Layer>> Layers::chain(std::string_view id) {
    std::vector<Layer> out;
    const auto rows = BERTH_TRY(database_.read(
        "WITH RECURSIVE chain (id, depth) AS (SELECT ?, 0 UNION ALL SELECT layers.parent, depth + 1"
        " FROM chain JOIN layers ON layers.id = chain.id WHERE layers.parent IS NOT NULL)"
        " SELECT layers.id, parent, image_digest, uid_base, bytes, exact, created_at"
        " FROM chain JOIN layers ON layers.id = chain.id ORDER BY depth",
        {std::string(id)}));
    for (const Row& row : rows) out.push_back(to_layer(row));
    return out;
}

Result<std::set<std::string>> Layers::ids() {
    std::set<std::string> out;
    for (const Row& row : BERTH_TRY(database_.read("SELECT id FROM layers")))
        out.insert(text(row[0]));
    return out;
}

Result<std::optional<ContainerRoot>> Layers::root_of(std::string_view container_id) {
    const auto rows = BERTH_TRY(
        database_.read("SELECT layer_id, name FROM container_roots WHERE container_id = ?",
                       {std::string(container_id)}));
    if (rows.empty()) return std::nullopt;
    return ContainerRoot{.layer_id = text(rows.front()[0]), .name = text(rows.front()[1])};
}

Result<> Layers::set_root(std::string_view container_id, const ContainerRoot& root) {
    BERTH_TRY(
        database_.run("INSERT INTO container_roots (container_id, layer_id, name) VALUES (?, ?, ?)"
                      " ON CONFLICT (container_id) DO UPDATE SET layer_id = excluded.layer_id,"
                      " name = excluded.name",
                      {std::string(container_id), root.layer_id, root.name}));
    return {};
}

Result<std::vector<std::string>> Layers::remove_unused(const std::multiset<std::string>& kept) {
    std::vector<std::string> removed;
    BERTH_TRY(database_.transact([&]() -> Result<> {
        for (bool found = true; found;) {
            found = false;
            const auto rows = BERTH_TRY(database_.read(
                "SELECT id FROM layers WHERE id NOT IN (SELECT layer_id FROM container_roots"
                " UNION SELECT layer_id FROM snapshots"
                " UNION SELECT parent FROM layers WHERE parent IS NOT NULL)"));
            for (const Row& row : rows) {
                if (kept.contains(text(row[0]))) continue;
                BERTH_TRY(database_.run("DELETE FROM layers WHERE id = ?", {row[0]}));
                removed.push_back(text(row[0]));
                found = true;
            }
        }
        return {};
    }));
    return removed;
}

}  // namespace berth::store
