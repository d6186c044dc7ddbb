// SPDX-License-Identifier: Apache-2.0
#include "host/operation/shapes.h"

#include "tools-schema/contract/error_table.h"

namespace berth::operation {

Json error_json(const Error& error) {
    const ErrorInfo& info = error_info(error.code);
    Json object = {{"code", info.name}, {"message", error.message}};
    if (!error.field.empty()) object["field"] = error.field;
    if (!error.hint.empty()) object["hint"] = error.hint;
    object["retry"] = info.retry;
    return object;
}

Error interrupted(std::string_view why) {
    return make_error(ErrorCode::unavailable, std::string(why))
        .next("look at what it worked on, for example with container_get, and call the tool again");
}

Json operation_json(const State& state) {
    const auto& row = state.row;
    Json out = {{"id", row.id},
                {"tool", row.tool},
                {"target", row.target},
                {"status", store::status_word(row.status)},
                {"created_at", row.created_at},
                {"updated_at", row.updated_at}};
    if (!row.expires_at.empty()) out["expires_at"] = row.expires_at;
    if (state.progress && row.status == store::OperationStatus::working) {
        out["progress"] = {{"done", state.progress->done}, {"message", state.progress->message}};
        if (state.progress->total) out["progress"]["total"] = *state.progress->total;
    }
    if (row.outcome) {
        auto outcome = parse_json(*row.outcome);  // our own writing
        const bool fine = row.status == store::OperationStatus::completed;
        if (outcome) out[fine ? "result" : "error"] = *std::move(outcome);
    }
    if (row.status == store::OperationStatus::working)
        out["next"] = "call operation_get with this id";
    return out;
}

std::string target_of(const Json& arguments) {
    for (const auto* key : {"name", "container"}) {
        const auto found = arguments.find(key);
        if (found != arguments.end() && found->is_string()) return found->get<std::string>();
    }
    return "";
}

}  // namespace berth::operation
