// SPDX-License-Identifier: Apache-2.0
#include "host/store/requests.h"

namespace berth::store {

Result<> Requests::insert(const Request& request, const std::string& oldest,
                          std::int64_t kept_max) {
    return database_.transact([&]() -> Result<> {
        BERTH_TRY(database_.run("DELETE FROM requests WHERE created_at < ?", {oldest}));
        BERTH_TRY(
            database_.run("INSERT INTO requests (caller, key, tool, arguments, created_at, before) "
                          "VALUES (?, ?, ?, ?, ?, ?)",
                          {request.caller, request.key, request.tool, request.arguments,
                           request.created_at, request.before}));
        BERTH_TRY(database_.run(
            "DELETE FROM requests WHERE rowid IN (SELECT rowid FROM requests WHERE result NOT NULL "
            "ORDER BY created_at LIMIT max(0, (SELECT COUNT(*) FROM requests) - ?))",
            {kept_max}));
        return {};
    });
}

Result<> Requests::finish(const Request& request, const std::string& result) {
    BERTH_TRY(database_.run("UPDATE requests SET result = ? WHERE caller = ? AND key = ?",
                            {result, request.caller, request.key}));
    return {};
}

Result<> Requests::remove(const Request& request) {
    BERTH_TRY(database_.run("DELETE FROM requests WHERE caller = ? AND key = ?",
                            {request.caller, request.key}));
    return {};
}

Result<std::optional<Request>> Requests::find(const std::string& caller, const std::string& key) {
    const auto rows = BERTH_TRY(database_.read(
        "SELECT caller, key, tool, arguments, created_at, before, result FROM requests "
        "WHERE caller = ? AND key = ?",
        {caller, key}));
    if (rows.empty()) return std::nullopt;
    const Row& row = rows.front();
    return Request{.caller = text(row[0]),
                   .key = text(row[1]),
                   .tool = text(row[2]),
                   .arguments = text(row[3]),
                   .created_at = text(row[4]),
                   .before = text(row[5]),
                   .result = std::holds_alternative<std::string>(row[6])
                                 ? std::optional(text(row[6]))
                                 : std::nullopt};
}

}  // namespace berth::store
