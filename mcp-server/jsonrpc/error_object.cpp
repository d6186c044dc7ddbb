// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/error_object.h"

#include "tools-schema/contract/error_table.h"

namespace berth::jsonrpc {
namespace {

std::string string_member(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Json error_object(const Error& error) {
    const ErrorInfo& info = error_info(error.code);
    Json object = {{"code", info.name}, {"message", error.message}};
    if (!error.field.empty()) object["field"] = error.field;
    if (!error.hint.empty()) object["hint"] = error.hint;
    if (error.next_call) {
        // It is ours. If it is no JSON all the same, the rest of the error still has to arrive.
        if (auto arguments = parse_json(error.next_call->arguments)) {
            object["next"] = {{"tool", error.next_call->tool},
                              {"arguments", *std::move(arguments)}};
        }
    }
    for (const auto& problem : error.problems) {
        object["problems"].push_back({{"field", problem.field}, {"message", problem.message}});
    }
    if (!error.data.empty()) {
        if (auto details = parse_json(error.data)) object["details"] = *std::move(details);
    }
    object["retry"] = info.retry;
    return object;
}

RpcError to_rpc_error(const Error& error) {
    Json data = error_object(error);
    data.erase("message");
    return {
        .code = error_info(error.code).jsonrpc, .message = error.message, .data = std::move(data)};
}

Error from_rpc_error(const RpcError& error) {
    const Json data = error.data.is_object() ? error.data : Json::object();
    Error out{.code = error_code(string_member(data, "code")).value_or(ErrorCode::internal),
              .message = error.message,
              .field = string_member(data, "field"),
              .hint = string_member(data, "hint")};
    if (const auto details = data.find("details"); details != data.end()) {
        out.data = to_text(*details);
    }
    if (const auto next = data.find("next"); next != data.end() && next->is_object()) {
        const auto arguments = next->find("arguments");
        if (arguments != next->end() && arguments->is_object()) {
            out.next_call =
                NextCall{.tool = string_member(*next, "tool"), .arguments = to_text(*arguments)};
        }
    }
    const auto problems = data.find("problems");
    if (problems == data.end() || !problems->is_array()) return out;
    for (const Json& problem : *problems) {
        if (!problem.is_object()) continue;
        out.problems.push_back({.field = string_member(problem, "field"),
                                .message = string_member(problem, "message")});
    }
    return out;
}

}  // namespace berth::jsonrpc
