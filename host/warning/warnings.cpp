// SPDX-License-Identifier: Apache-2.0
#include "host/warning/warnings.h"

#include "base/files.h"
#include "base/log.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

namespace berth::warning {
namespace {

/// At most so many bytes, with no character cut in half.
void clip(std::string& text) {
    if (text.size() <= text_bytes_max) return;
    std::size_t end = text_bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    text.resize(end);
}

Error no_such(std::string_view id) {
    return make_error(ErrorCode::not_found, fmt::format("there is no warning '{}'", id))
        .at("/id")
        .next("what was resolved is forgotten after a day")
        .call("warning_list", Json::object());
}

Error over_error(const store::Warning& warning) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("the warning '{}' is over, so there is nothing to acknowledge",
                                  warning.id))
        .at("/action")
        .next("delete it, or leave it: it is forgotten a day after it was over");
}

}  // namespace

std::string random_id() {
    constexpr std::size_t bytes = 13;  // 26 hexadecimal digits
    return "wn_" + random_hex(bytes);
}

void Warnings::raise(Report report) {
    clip(report.message);
    clip(report.next);
    const auto level = report.severity == Severity::info ? log::info : log::warning;
    level(
        report.message,
        {{"warning", std::string(report.type)}, {"entity", report.entity}, {"next", report.next}});
    forget();
    const auto row = store_.raise({.id = options_.make_id(),
                                   .type = std::string(report.type),
                                   .severity = report.severity,
                                   .entity = std::move(report.entity),
                                   .last_seen = to_rfc3339(clock_.wall()),
                                   .message = std::move(report.message),
                                   .next = std::move(report.next)});
    if (!row) return log::error("a warning is not kept", {{"cause", row.error().message}});
    tell(*row, "raised");
    if (row->count == 1) tell_all(store_.trim(options_.kept_max), "deleted");
}

void Warnings::resolve(std::string_view type, std::string_view entity) {
    const auto row = store_.resolve(type, entity, to_rfc3339(clock_.wall()));
    if (!row) return log::error("a warning is not resolved", {{"cause", row.error().message}});
    if (*row) tell(**row, "resolved");
}

void Warnings::resolve_all(std::string_view entity) {
    tell_all(store_.resolve_all(entity, to_rfc3339(clock_.wall())), "resolved");
}

void Warnings::tell(const store::Warning& warning, std::string_view change) {
    events_.publish({{"kind", "warning"}, {"id", warning.id}, {"change", change}});
}

void Warnings::tell_all(const Result<std::vector<store::Warning>>& warnings,
                        std::string_view change) {
    if (!warnings)
        return log::error("warnings cannot be written", {{"cause", warnings.error().message}});
    for (const auto& one : *warnings) tell(one, change);
}

void Warnings::forget() {
    tell_all(store_.expire(to_rfc3339(clock_.wall() - resolved_time)), "deleted");
}

Result<store::WarningPage> Warnings::list(const store::WarningFilter& filter) {
    forget();
    return store_.list(filter);
}

std::set<std::string> Warnings::entities(std::optional<std::string> type) {
    return store_.entities(std::move(type)).value_or(std::set<std::string>{});
}

Result<store::Warning> Warnings::get(std::string_view id) {
    forget();
    auto row = BERTH_TRY(store_.find(id));
    if (!row) return fail(no_such(id));
    return *std::move(row);
}

Result<store::Warning> Warnings::rehearse_acknowledge(std::string_view id) {
    auto row = BERTH_TRY(get(id));
    if (row.status == store::WarningStatus::resolved) return fail(over_error(row));
    return row;
}

Result<store::Warning> Warnings::acknowledge(std::string_view id) {
    const auto before = BERTH_TRY(rehearse_acknowledge(id));
    if (before.status == store::WarningStatus::acknowledged) return before;
    auto row = BERTH_TRY(store_.acknowledge(id));
    if (!row) return fail(over_error(before));
    tell(*row, "acknowledged");
    return *std::move(row);
}

Result<store::Warning> Warnings::remove(std::string_view id) {
    forget();
    auto row = BERTH_TRY(store_.remove(id));
    if (!row) return fail(no_such(id));
    tell(*row, "deleted");
    return *std::move(row);
}

}  // namespace berth::warning
