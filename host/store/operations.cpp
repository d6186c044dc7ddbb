// SPDX-License-Identifier: Apache-2.0
#include "host/store/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth::store {
namespace {

constexpr std::array<std::string_view, 4> status_words{"working", "completed", "failed",
                                                       "cancelled"};
constexpr std::string_view operation_columns =
    "id, caller, tool, container, status, created_at, updated_at, expires_at, outcome";

OperationStatus to_status(const std::string& word) {
    const auto* const found = std::ranges::find(status_words, word);  // the schema allows no other
    return static_cast<OperationStatus>(found - status_words.begin());
}

Value optional_text(const std::optional<std::string>& text) {
    return text ? Value(*text) : Value(nullptr);
}

Operation to_operation(const Row& row) {
    return {.id = text(row[0]),
            .caller = text(row[1]),
            .tool = text(row[2]),
            .container = text(row[3]),
            .status = to_status(text(row[4])),
            .created_at = text(row[5]),
            .updated_at = text(row[6]),
            .expires_at = text(row[7]),
            .outcome = std::holds_alternative<std::string>(row[8]) ? std::optional(text(row[8]))
                                                                   : std::nullopt};
}

std::vector<Operation> to_operations(const std::vector<Row>& rows) {
    std::vector<Operation> out;
    for (const Row& row : rows) out.push_back(to_operation(row));
    return out;
}

}  // namespace

std::string_view status_word(OperationStatus status) {
    return status_words.at(std::to_underlying(status));
}

Result<> Operations::insert(const Operation& operation, std::int64_t kept_max) {
    return database_.transact([&]() -> Result<> {
        BERTH_TRY(database_.run(
            fmt::format("INSERT INTO operations ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        operation_columns),
            {operation.id, operation.caller, operation.tool, operation.container,
             std::string(status_word(operation.status)), operation.created_at, operation.updated_at,
             operation.expires_at, optional_text(operation.outcome)}));
        BERTH_TRY(database_.run(
            "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE status != "
            "'working' "
            "ORDER BY updated_at LIMIT max(0, (SELECT COUNT(*) FROM operations) - ?))",
            {kept_max}));
        return {};
    });
}

Result<> Operations::end(const Operation& operation) {
    const auto rows = BERTH_TRY(database_.run(
        "UPDATE operations SET status = ?, updated_at = ?, expires_at = ?, outcome = ? "
        "WHERE id = ? RETURNING id",
        {std::string(status_word(operation.status)), operation.updated_at, operation.expires_at,
         optional_text(operation.outcome), operation.id}));
    if (!rows.empty()) return {};
    return fail(ErrorCode::not_found, fmt::format("no operation has the id '{}'", operation.id));
}

Result<std::vector<Operation>> Operations::end_all(const Operation& as) {
    return to_operations(BERTH_TRY(database_.run(
        fmt::format("UPDATE operations SET status = ?, updated_at = ?, expires_at = ?, outcome = ? "
                    "WHERE status = 'working' RETURNING {}",
                    operation_columns),
        {std::string(status_word(as.status)), as.updated_at, as.expires_at,
         optional_text(as.outcome)})));
}

Result<> Operations::expire(const std::string& now) {
    // The look is cheap and the write is not, and mostly there is nothing to write.
    const auto due = BERTH_TRY(database_.read(
        "SELECT 1 FROM operations WHERE status != 'working' AND expires_at <= ? LIMIT 1", {now}));
    if (due.empty()) return {};
    BERTH_TRY(database_.run("DELETE FROM operations WHERE status != 'working' AND expires_at <= ?",
                            {now}));
    return {};
}

Result<std::optional<Operation>> Operations::find(std::string_view id) {
    const auto rows = BERTH_TRY(
        database_.read(fmt::format("SELECT {} FROM operations WHERE id = ?", operation_columns),
                       {std::string(id)}));
    return rows.empty() ? std::nullopt : std::optional(to_operation(rows.front()));
}

Result<std::vector<Operation>> Operations::list() {
    return to_operations(BERTH_TRY(database_.read(
        "SELECT id, caller, tool, container, status, created_at, updated_at, expires_at, NULL "
        "FROM operations ORDER BY created_at DESC, id")));
}

}  // namespace berth::store
