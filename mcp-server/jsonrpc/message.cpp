// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/message.h"

#include <fmt/format.h>

namespace berth::jsonrpc {
namespace {

std::optional<Id> read_id(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
    if (fits) return value.get<std::int64_t>();
    return std::nullopt;
}

std::unexpected<Refusal> refuse(std::optional<Id> id, std::string why) {
    return std::unexpected(Refusal{.id = std::move(id),
                                   .error = {.code = invalid_request, .message = std::move(why)}});
}

std::string text_of(const Id& id) {
    return std::visit([](const auto& value) { return to_text(Json(value)); }, id);
}

Parsed parse_response(Json& value, std::optional<Id> id) {
    if (value.contains("result") == value.contains("error")) {
        return refuse(std::move(id), "a response has either a result or an error");
    }
    if (value.contains("result")) {
        if (!id) return refuse(std::nullopt, "a result needs the id of its request");
        return Response{.id = std::move(id), .result = std::move(value["result"]), .error = {}};
    }
    Json& error = value["error"];
    const bool well_formed = error.is_object() && error.contains("code") &&
                             error["code"].is_number_integer() && error.contains("message") &&
                             error["message"].is_string();
    if (!well_formed) return refuse(std::move(id), "error must have an integer code and a message");
    return Response{.id = std::move(id),
                    .result = nullptr,
                    .error = RpcError{.code = error["code"].get<int>(),
                                      .message = error["message"].get<std::string>(),
                                      .data = error.value("data", Json())}};
}

}  // namespace

Parsed parse_message(Json value) {
    if (!value.is_object()) return refuse(std::nullopt, "a message must be an object");
    std::optional<Id> id;
    if (value.contains("id")) {
        id = read_id(value["id"]);
        const bool answers_nothing = value["id"].is_null() && value.contains("error");
        if (!id && !answers_nothing) {
            return refuse(std::nullopt, "id must be a string or an integer");
        }
    }
    if (!value.contains("jsonrpc") || value["jsonrpc"] != "2.0") {
        return refuse(std::move(id), "jsonrpc must be \"2.0\"");
    }
    if (!value.contains("method")) {
        if (value.contains("result") || value.contains("error")) {
            return parse_response(value, std::move(id));
        }
        return refuse(std::move(id), "method is missing");
    }
    if (!value["method"].is_string()) return refuse(std::move(id), "method must be a string");
    Json params = value.value("params", Json());
    if (!params.is_structured() && !params.is_null()) {
        return refuse(std::move(id), "params must be an object or an array");
    }
    auto method = value["method"].get<std::string>();
    if (!id) return Notification{.method = std::move(method), .params = std::move(params)};
    return Request{.id = *std::move(id), .method = std::move(method), .params = std::move(params)};
}

std::expected<Payload, Refusal> parse(std::string_view text, std::size_t bytes_max) {
    auto value = parse_json(text, bytes_max);
    if (!value) {
        return std::unexpected(
            Refusal{.id = {}, .error = {.code = parse_error, .message = value.error().message}});
    }
    Payload payload;
    if (!value->is_array()) {
        payload.messages.push_back(parse_message(*std::move(value)));
        return payload;
    }
    payload.batch = true;
    if (value->empty()) return refuse(std::nullopt, "a batch must not be empty");
    if (value->size() > batch_messages_max) {
        return refuse(std::nullopt, fmt::format("a batch has at most {} messages, not {}",
                                                batch_messages_max, value->size()));
    }
    for (Json& element : *value) payload.messages.push_back(parse_message(std::move(element)));
    return payload;
}

std::string result_text(const Id& id, std::string_view result) {
    constexpr std::string_view before_id = R"({"jsonrpc":"2.0","id":)";
    constexpr std::string_view before_result = R"(,"result":)";
    const std::string id_text = text_of(id);
    std::string out;
    // A result may be long, so it is copied once, and not again when its line is ended.
    out.reserve(before_id.size() + id_text.size() + before_result.size() + result.size() +
                std::string_view("}\n").size());
    out.append(before_id).append(id_text).append(before_result).append(result);
    out += '}';
    return out;
}

std::string error_text(const std::optional<Id>& id, const RpcError& error) {
    Json object = {{"code", error.code}, {"message", error.message}};
    if (!error.data.is_null()) object["data"] = error.data;
    const std::string id_member = id ? fmt::format(R"("id":{},)", text_of(*id)) : "";
    return fmt::format(R"({{"jsonrpc":"2.0",{}"error":{}}})", id_member, to_text(object));
}

}  // namespace berth::jsonrpc
