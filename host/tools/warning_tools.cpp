// SPDX-License-Identifier: Apache-2.0
#include "host/tools/host_tools.h"
#include "tools/tools.h"

#include <fmt/format.h>

namespace berth::tools {
namespace {

using warning::Warnings;

Severity severity_of(store::Severity severity) {
    switch (severity) {
        case store::Severity::info:
            return Severity::info;
        case store::Severity::warning:
            return Severity::warning;
        case store::Severity::error:
            return Severity::error;
        case store::Severity::critical:
            return Severity::critical;
    }
    std::unreachable();
}

store::Severity to_stored(Severity severity) {
    switch (severity) {
        case Severity::info:
            return store::Severity::info;
        case Severity::warning:
            return store::Severity::warning;
        case Severity::error:
            return store::Severity::error;
        case Severity::critical:
            return store::Severity::critical;
    }
    std::unreachable();
}

WarningStatus status_of(store::WarningStatus status) {
    switch (status) {
        case store::WarningStatus::fresh:
            return WarningStatus::e_new;
        case store::WarningStatus::acknowledged:
            return WarningStatus::acknowledged;
        case store::WarningStatus::resolved:
            return WarningStatus::resolved;
    }
    std::unreachable();
}

Warning to_warning(const store::Warning& row) {
    return {.id = WarningId::parse(row.id).value(),
            .type = row.type,
            .severity = severity_of(row.severity),
            .entity = row.entity,
            .count = row.count,
            .first_seen = row.first_seen,
            .last_seen = row.last_seen,
            .message = row.message,
            .next = row.next,
            .status = status_of(row.status)};
}

Result<WarningList::Output> list(Warnings& warnings, const WarningList::Input& in) {
    store::WarningFilter filter{
        .type = in.type, .entity = in.entity, .acknowledged = in.acknowledged, .limit = in.limit};
    if (in.severity) filter.severity = to_stored(*in.severity);
    const auto page = BERTH_TRY(warnings.list(filter));
    WarningList::Output out{.warnings = {}, .total = page.total};
    for (const auto& row : page.warnings) out.warnings.push_back(to_warning(row));
    return out;
}

Result<WarningUpdate::Output> update(Warnings& warnings, const WarningUpdate::Input& in) {
    const bool forget = in.action == WarningUpdate::Input::Action::e_delete;
    const auto& id = in.id.to_string();
    const auto row = BERTH_TRY(forget ? warnings.remove(id) : warnings.acknowledge(id));
    return WarningUpdate::Output{.warning = to_warning(row), .deleted = forget};
}

/// What it would do; the target is without what goes on rising while somebody decides.
Preview preview_of(const store::Warning& row, std::string_view doing) {
    Json target = encode(to_warning(row));
    for (const auto* rising : {"count", "last_seen", "message"}) target.erase(rising);
    return {.would = fmt::format("{} the warning {} of {}", doing, row.type, row.entity),
            .target = std::move(target)};
}

Result<Preview> preview(Warnings& warnings, const WarningUpdate::Input& in) {
    const auto& id = in.id.to_string();
    if (in.action == WarningUpdate::Input::Action::e_delete)
        return preview_of(BERTH_TRY(warnings.get(id)), "forget");
    return preview_of(BERTH_TRY(warnings.rehearse_acknowledge(id)), "hide");
}

}  // namespace

void bind_warning_tools(ToolRegistry& registry, Warnings& warnings) {
    registry.bind<WarningList>(
        [&warnings](const WarningList::Input& in, const Call&) { return list(warnings, in); });
    registry.bind<WarningGet>(
        [&warnings](const WarningGet::Input& in, const Call&) -> Result<Warning> {
            return to_warning(BERTH_TRY(warnings.get(in.id.to_string())));
        });
    registry.bind<WarningUpdate>(
        [&warnings](const WarningUpdate::Input& in, const Call&) { return update(warnings, in); },
        [&warnings](const WarningUpdate::Input& in, const Call&) { return preview(warnings, in); });
}

}  // namespace berth::tools
