// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/results.h"

#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/protocol/render.h"

namespace berth::mcp {
namespace {

constexpr const char* error_key = "berth/error";

Json rpc_error_members(const jsonrpc::RpcError& error) {
    Json out = {{"code", error.code}, {"message", error.message}};
    if (!error.data.is_null()) out["data"] = error.data;
    return out;
}

}  // namespace

Fault to_fault(const Refusal& refusal) {
    if (const auto* fault = std::get_if<Fault>(&refusal)) return *fault;
    return Fault{.error = jsonrpc::to_rpc_error(std::get<Error>(refusal))};
}

Json text_block(std::string text) {
    return {{"type", "text"}, {"text", std::move(text)}};
}

Json tool_result(const TypedOutput& output) {
    return {{"content", Json::array({text_block(render(output.value))})},
            {"structuredContent", output.value}};
}

Json tool_result(const RawContent& content) {
    Json result = {{"content", content.blocks}};
    if (content.is_error) result["isError"] = true;
    return result;
}

Json tool_result(const Error& error, Era era) {
    Json result = {{"content", Json::array({text_block(render(error))})}, {"isError", true}};
    const Json object = jsonrpc::error_object(error);
    if (era == Era::modern) {
        result["structuredContent"] = {{"error", object}};
    } else {
        result["_meta"] = {{error_key, object}};
    }
    return result;
}

Json task_members(const Task& task) {
    Json out = {{"taskId", task.id}, {"status", task.status}};
    if (!task.message.empty()) out["statusMessage"] = task.message;
    out["createdAt"] = task.created_at;
    out["lastUpdatedAt"] = task.updated_at;
    out["ttlMs"] = task.ttl_ms ? Json(*task.ttl_ms) : Json(nullptr);
    out["pollIntervalMs"] = task.poll_interval_ms;
    if (!task.input_requests.is_null()) out["inputRequests"] = task.input_requests;
    if (const auto* typed = std::get_if<TypedOutput>(&task.outcome)) {
        out["result"] = tool_result(*typed);
    } else if (const auto* raw = std::get_if<RawContent>(&task.outcome)) {
        out["result"] = tool_result(*raw);
    } else if (const auto* error = std::get_if<Error>(&task.outcome)) {
        out["result"] = tool_result(*error, Era::modern);
    } else if (const auto* fault = std::get_if<Fault>(&task.outcome)) {
        out["error"] = rpc_error_members(fault->error);
    }
    return out;
}

}  // namespace berth::mcp
