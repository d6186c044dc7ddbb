// SPDX-License-Identifier: Apache-2.0
#include "sentinel/registry/warnings.h"

#include "base/log.h"

namespace berth::sentinel {

void Warnings::raise(const std::string& type, const std::string& entity,
                     const std::string& message) {
    const std::string now = to_rfc3339(clock_.wall());
    const auto kept = database_.transact([&]() -> Result<> {
        BERTH_TRY(database_.run(
            "INSERT INTO warnings (type, entity, message, count, first_at, last_at) "
            "VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT (type, entity) DO UPDATE SET "
            "message = excluded.message, count = count + 1, last_at = excluded.last_at",
            {type, entity, message, now, now}));
        BERTH_TRY(
            database_.run("DELETE FROM warnings WHERE rowid IN (SELECT rowid FROM warnings "
                          "ORDER BY last_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                          {warnings_max}));
        return {};
    });
    log::warning(message, {{"type", type}, {"about", entity}});
    if (!kept) log::error("a warning is not kept", {{"why", kept.error().message}});
}

void Warnings::resolve(const std::string& type, const std::string& entity) {
    const auto gone =
        database_.run("DELETE FROM warnings WHERE type = ? AND entity = ?", {type, entity});
    if (!gone) log::error("a warning stays", {{"why", gone.error().message}});
}

Result<std::vector<Warning>> Warnings::list() {
    std::vector<Warning> out;
    for (const auto& row : BERTH_TRY(
             database_.read("SELECT type, entity, message, count, first_at, last_at FROM warnings "
                            "ORDER BY last_at DESC, type, entity"))) {
        out.push_back({.type = store::text(row[0]),
                       .entity = store::text(row[1]),
                       .message = store::text(row[2]),
                       .count = store::integer(row[3]),
                       .first_at = store::text(row[4]),
                       .last_at = store::text(row[5])});
    }
    return out;
}

}  // namespace berth::sentinel
