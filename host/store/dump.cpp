// SPDX-License-Identifier: Apache-2.0
#include "host/store/dump.h"

#include "base/sqlite.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace berth::store {
namespace {

/// What stands for a column that may hold a secret, as an SQL expression; NULL stays NULL.
struct Secret {
    std::string_view table;
    std::string_view column;
    std::string_view instead;
};
constexpr std::array secrets{
    Secret{"containers", "environment",
           "(SELECT json_group_array(substr(value, 1, instr(value, '=')) || 'left-out')"
           " FROM json_each(environment))"},
    Secret{"operations", "outcome", "iif(outcome IS NULL, NULL, '{}')"},
    Secret{"requests", "before", "'{}'"},
    Secret{"requests", "result", "iif(result IS NULL, NULL, '{}')"},
};

std::string as_name(std::string_view name) {
    return fmt::format("\"{}\"", name);  // names of ours, which have no quotes
}

std::string shown(const std::string& table, const std::string& column) {
    const auto* const secret = std::ranges::find_if(
        secrets, [&](const Secret& one) { return one.table == table && one.column == column; });
    return fmt::format("quote({})",
                       secret == secrets.end() ? as_name(column) : std::string(secret->instead));
}

Result<std::string> rows_of(Sqlite& store, const std::string& table) {
    std::vector<std::string> columns;
    for (const Row& row :
         BERTH_TRY(store.read("SELECT name FROM pragma_table_info(?) ORDER BY cid", {table})))
        columns.push_back(shown(table, text(row[0])));
    std::string out;
    for (const Row& row : BERTH_TRY(store.read(fmt::format(
             "SELECT {} FROM {} ORDER BY 1", fmt::join(columns, ", "), as_name(table))))) {
        std::vector<std::string> values;
        std::ranges::transform(row, std::back_inserter(values), text);
        out +=
            fmt::format("INSERT INTO {} VALUES ({});\n", as_name(table), fmt::join(values, ", "));
    }
    return out;
}

Result<std::string> everything(Sqlite& store) {
    std::string out = "PRAGMA foreign_keys = OFF;\nBEGIN;\n";
    std::string later;  // indices, which take longer when there are rows to come
    for (const Row& row :
         BERTH_TRY(store.read("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
                              " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"))) {
        const bool is_table = text(row[0]) == "table";
        (is_table ? out : later) += text(row[2]) + ";\n";
        if (is_table) out += BERTH_TRY(rows_of(store, text(row[1])));
    }
    const auto version = BERTH_TRY(store.read("PRAGMA user_version"));
    return fmt::format("{}{}PRAGMA user_version = {};\nCOMMIT;\n", out, later,
                       integer(version.at(0).at(0)));
}

}  // namespace

Result<std::string> dump(const std::filesystem::path& path) {
    const auto store = BERTH_TRY(Sqlite::look(path));
    BERTH_TRY(store->read("BEGIN"));  // all of one moment; it ends with the connection
    return everything(*store);
}

}  // namespace berth::store
