// SPDX-License-Identifier: Apache-2.0
#include "host/store/warnings.h"

#include <fmt/format.h>

#include <utility>

namespace berth::store {
namespace {

// Severity and status are numbers in the table, so that it sorts by them.
constexpr std::string_view warning_columns =
    "id, type, severity, entity, count, first_seen, last_seen, message, next, status, resolved_at";

template <class Enum>
std::int64_t number(Enum value) {
    return std::to_underlying(value);
}

Warning to_warning(const Row& row) {
    return {.id = text(row[0]),
            .type = text(row[1]),
            .severity = static_cast<Severity>(integer(row[2])),
            .entity = text(row[3]),
            .count = integer(row[4]),
            .first_seen = text(row[5]),
            .last_seen = text(row[6]),
            .message = text(row[7]),
            .next = text(row[8]),
            .status = static_cast<WarningStatus>(integer(row[9])),
            .resolved_at = text(row[10])};
}

std::vector<Warning> to_warnings(const std::vector<Row>& rows) {
    std::vector<Warning> out;
    for (const Row& row : rows) out.push_back(to_warning(row));
    return out;
}

std::optional<Warning> first_of(const std::vector<Row>& rows) {
    return rows.empty() ? std::nullopt : std::optional(to_warning(rows.front()));
}

/// A condition and the values that it names.
struct Where {
    std::string text;
    std::vector<Value> values;
};

Where where(const WarningFilter& filter) {
    Where out{
        .text = "WHERE status != ?",
        .values = {filter.acknowledged ? std::int64_t{-1} : number(WarningStatus::acknowledged)}};
    const auto also = [&out](std::string_view column, Value value) {
        out.text += fmt::format(" AND {} = ?", column);
        out.values.push_back(std::move(value));
    };
    if (filter.severity) also("severity", number(*filter.severity));
    if (filter.type) also("type", *filter.type);
    if (filter.entity) also("entity", *filter.entity);
    return out;
}

}  // namespace

Result<Warning> Warnings::raise(const Warning& seen) {
    const auto rows = BERTH_TRY(database_.run(
        fmt::format("INSERT INTO warnings ({}) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, '') "
                    "ON CONFLICT (type, entity) DO UPDATE SET severity = excluded.severity, "
                    "count = count + 1, last_seen = excluded.last_seen, "
                    "message = excluded.message, next = excluded.next, resolved_at = '', "
                    "status = CASE status WHEN {} THEN {} ELSE status END RETURNING {}",
                    warning_columns, number(WarningStatus::resolved), number(WarningStatus::fresh),
                    warning_columns),
        {seen.id, seen.type, number(seen.severity), seen.entity, seen.last_seen, seen.last_seen,
         seen.message, seen.next, number(WarningStatus::fresh)}));
    return to_warning(rows.at(0));
}

Result<std::optional<Warning>> Warnings::resolve(std::string_view type, std::string_view entity,
                                                 const std::string& at) {
    return first_of(BERTH_TRY(database_.run(
        fmt::format("UPDATE warnings SET status = ?, resolved_at = ? WHERE type = ? "
                    "AND entity = ? AND resolved_at = '' RETURNING {}",
                    warning_columns),
        {number(WarningStatus::resolved), at, std::string(type), std::string(entity)})));
}

Result<std::vector<Warning>> Warnings::resolve_all(std::string_view entity, const std::string& at) {
    return to_warnings(BERTH_TRY(database_.run(
        fmt::format("UPDATE warnings SET status = ?, resolved_at = ? WHERE entity = ? "
                    "AND resolved_at = '' RETURNING {}",
                    warning_columns),
        {number(WarningStatus::resolved), at, std::string(entity)})));
}

Result<std::optional<Warning>> Warnings::acknowledge(std::string_view id) {
    return first_of(BERTH_TRY(database_.run(
        fmt::format("UPDATE warnings SET status = ? WHERE id = ? AND resolved_at = '' RETURNING {}",
                    warning_columns),
        {number(WarningStatus::acknowledged), std::string(id)})));
}

Result<std::optional<Warning>> Warnings::remove(std::string_view id) {
    return first_of(BERTH_TRY(database_.run(
        fmt::format("DELETE FROM warnings WHERE id = ? RETURNING {}", warning_columns),
        {std::string(id)})));
}

Result<std::vector<Warning>> Warnings::expire(const std::string& resolved_by) {
    // The look is cheap and waits for nobody, and mostly there is nothing to write.
    constexpr std::string_view due = "FROM warnings WHERE resolved_at != '' AND resolved_at <= ?";
    const auto found =
        BERTH_TRY(database_.read(fmt::format("SELECT 1 {} LIMIT 1", due), {resolved_by}));
    if (found.empty()) return std::vector<Warning>{};
    return to_warnings(BERTH_TRY(
        database_.run(fmt::format("DELETE {} RETURNING {}", due, warning_columns), {resolved_by})));
}

Result<std::vector<Warning>> Warnings::trim(std::int64_t kept_max) {
    return to_warnings(BERTH_TRY(
        database_.run(fmt::format("DELETE FROM warnings WHERE id IN (SELECT id FROM warnings "
                                  "ORDER BY status DESC, last_seen, rowid "
                                  "LIMIT max(0, (SELECT COUNT(*) FROM warnings) - ?)) RETURNING {}",
                                  warning_columns),
                      {kept_max})));
}

Result<std::optional<Warning>> Warnings::find(std::string_view id) {
    return first_of(BERTH_TRY(database_.read(
        fmt::format("SELECT {} FROM warnings WHERE id = ?", warning_columns), {std::string(id)})));
}

Result<WarningPage> Warnings::list(const WarningFilter& filter) {
    const auto which = where(filter);
    auto values = which.values;
    values.emplace_back(filter.limit);
    // One statement, so that the total is that of the moment of the page.
    const auto rows = BERTH_TRY(
        database_.read(fmt::format("WITH matching AS (SELECT * FROM warnings {}) "
                                   "SELECT {}, (SELECT COUNT(*) FROM matching) FROM matching "
                                   "ORDER BY status, severity DESC, last_seen DESC, id LIMIT ?",
                                   which.text, warning_columns),
                       values));
    WarningPage page{.warnings = to_warnings(rows)};
    if (!rows.empty()) page.total = integer(rows.front().back());
    return page;
}

Result<std::int64_t> Warnings::count_new() {
    const auto rows = BERTH_TRY(database_.read("SELECT COUNT(*) FROM warnings WHERE status = ?",
                                               {number(WarningStatus::fresh)}));
    return integer(rows.at(0).at(0));
}

Result<std::set<std::string>> Warnings::entities(std::optional<std::string> type) {
    std::set<std::string> out;
    for (const Row& row :
         BERTH_TRY(database_.read("SELECT entity FROM warnings WHERE resolved_at = '' "
                                  "AND type = coalesce(?, type)",
                                  {type ? Value(*std::move(type)) : Value(nullptr)})))
        out.insert(text(row[0]));
    return out;
}

}  // namespace berth::store
