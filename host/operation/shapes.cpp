// SPDX-License-Identifier: Apache-2.0
#include "host/operation/shapes.h"

#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>

namespace berth::operation {

namespace {

std::string next_call(const store::Operation& row, const Json& outcome) {
    switch (row.status) {
        case store::OperationStatus::working:
            return fmt::format("call operation_get {}", to_text({{"id", row.id}}));
        case store::OperationStatus::completed:
            return fmt::format("go on: result is what {} answered", row.tool);
        case store::OperationStatus::cancelled:
            return fmt::format("call {} again if it is wanted after all", row.tool);
        case store::OperationStatus::failed:
            return outcome.is_object() && outcome.contains("hint")
                       ? outcome.at("hint").get<std::string>()
                       : fmt::format("call {} again", row.tool);
    }
    std::unreachable();
}

Json progress_json(const Progress& progress) {
    Json out = {{"done", static_cast<std::int64_t>(progress.done)}};
    if (progress.total) out["total"] = static_cast<std::int64_t>(*progress.total);
    if (!progress.message.empty()) out["message"] = progress.message;
    return out;
}

}  // namespace

Json error_json(const Error& error) {
    Json object = {{"code", error_info(error.code).name}, {"message", error.message}};
    if (!error.field.empty()) object["field"] = error.field;
    if (!error.hint.empty()) object["hint"] = error.hint;
    if (error.next_call) {
        if (auto arguments = parse_json(error.next_call->arguments)) {
            object["next"] = {{"tool", error.next_call->tool},
                              {"arguments", *std::move(arguments)}};
        }
    }
    return object;
}

Error interrupted(std::string_view why) {
    return make_error(ErrorCode::unavailable, std::string(why))
        .next("look at what it worked on, for example with container_get, and call the tool again");
}

Json operation_json(const State& state) {
    const auto& row = state.row;
    Json out = {{"id", row.id}, {"tool", row.tool}};
    if (!row.container.empty()) out["container"] = row.container;
    out["status"] = store::status_word(row.status);
    out["created_at"] = row.created_at;
    out["updated_at"] = row.updated_at;
    out["expires_at"] = row.expires_at;
    if (state.progress && row.status == store::OperationStatus::working)
        out["progress"] = progress_json(*state.progress);
    Json outcome = nullptr;
    if (row.outcome) {
        outcome = parse_json(*row.outcome).value_or(nullptr);  // our own writing
        const bool fine = row.status == store::OperationStatus::completed;
        out[fine ? "result" : "error"] = outcome;
    }
    out["next"] = next_call(row, outcome);
    return out;
}

std::string container_of(const Json& arguments) {
    for (const auto* key : {"name", "container"}) {
        const auto found = arguments.find(key);
        if (found != arguments.end() && found->is_string()) return found->get<std::string>();
    }
    return "";
}

}  // namespace berth::operation
