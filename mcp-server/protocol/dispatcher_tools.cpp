// SPDX-License-Identifier: Apache-2.0
// The methods about tools and tasks.
#include "mcp-server/jsonrpc/error_object.h"
#include "mcp-server/protocol/dispatcher.h"
#include "mcp-server/protocol/results.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

/// So many results of tools/list are kept as text; the number of different scopes is the callers'
/// choice.
constexpr std::size_t listings_max = 64;

std::string joined_listings(std::span<const ToolEntry> tools, const Client& client) {
    std::string out;
    for (const ToolEntry& tool : tools) {
        if (client.may_call(tool.name)) out += (out.empty() ? "" : ",") + tool.listing;
    }
    return out;
}

/// What a tool came to as the members of a result; an error of the tool is a result too.
DataAnswer to_data(ToolAnswer answer, Era era) {
    if (!answer) {
        if (const auto* fault = std::get_if<Fault>(&answer.error())) return std::unexpected(*fault);
        const auto& error = std::get<Error>(answer.error());
        if (error.code == ErrorCode::internal) {
            return std::unexpected(Fault{.error = jsonrpc::to_rpc_error(error)});
        }
        return tool_result(error, era);
    }
    if (const auto* typed = std::get_if<TypedOutput>(&*answer)) return tool_result(*typed);
    if (const auto* raw = std::get_if<RawContent>(&*answer)) return tool_result(*raw);
    if (auto* needed = std::get_if<InputRequired>(&*answer)) return std::move(*needed);
    Json created = task_members(std::get<Task>(*answer));
    created["resultType"] = "task";
    return created;
}

/// For a name that is no tool: the one that may be meant, of those that may be called.
std::unexpected<Fault> unknown(const std::string& tool, std::span<const ToolEntry> tools,
                               const Client& client) {
    std::vector<std::string> names;
    for (const ToolEntry& entry : tools) {
        if (client.may_call(entry.name)) names.push_back(entry.name);
    }
    const auto meant = nearest(tool, names);
    return invalid_params(
        fmt::format("Unknown tool: {}", tool),
        meant.empty() ? Json() : Json{{"hint", fmt::format("did you mean '{}'?", meant)}});
}

/// A tool that is left out for everybody does not exist; one that a token lacks is refused.
std::unexpected<Fault> not_allowed(const std::string& tool, const Client& client) {
    auto challenge = client.tools->challenge ? client.tools->challenge(tool) : std::string();
    if (challenge.empty()) {
        return invalid_params(
            fmt::format("Unknown tool: {}", tool),
            {{"hint", "it is not offered here: do without it, or ask the operator to offer it"}});
    }
    auto refusal =
        mcp::fault(403, implementation_error, fmt::format("the token does not allow {}", tool));
    refusal.error().www_authenticate = std::move(challenge);
    return refusal;
}

std::expected<std::string, Fault> task_id(const Json& params, const Client& client) {
    if (!client.has_extension(tasks_extension)) {
        return capability_missing({{"extensions", {{tasks_extension, Json::object()}}}});
    }
    const Json* id = member(params, "taskId");
    if (id == nullptr || !id->is_string()) return invalid_params("taskId must be a string");
    return id->get<std::string>();
}

}  // namespace

std::string Dispatcher::tools_result(const Inbound& in) const {
    const std::string tools = joined_listings(offer_.tools.entries(), in.client);
    if (!in.modern()) return fmt::format(R"({{"tools":[{}]}})", tools);
    return fmt::format(R"({{"resultType":"complete","tools":[{}],"cacheScope":"{}",{}}})", tools,
                       in.client.tools ? "private" : "public", modern_tail_);
}

Dispatcher::ResultText Dispatcher::list_tools(const Inbound& in) const {
    if (member(in.params(), "cursor") != nullptr) {
        return invalid_params("the list has one page, so no cursor is valid");
    }
    std::string key = in.modern() ? "modern" : "legacy";
    if (in.client.tools) key += ":" + in.client.tools->key;
    const std::scoped_lock lock(listings_mutex_);
    const auto found = listings_.find(key);
    if (found != listings_.end()) return found->second;
    if (listings_.size() >= listings_max) listings_.clear();
    return listings_[key] = tools_result(in);
}

Dispatcher::ResultText Dispatcher::call_tool(const Inbound& in) const {
    const Json* name = member(in.params(), "name");
    if (name == nullptr || !name->is_string()) return invalid_params("name must be a string");
    const auto tool = name->get<std::string>();
    const auto known = tools_.find(tool);
    if (known == tools_.end()) return unknown(tool, offer_.tools.entries(), in.client);
    if (!in.client.may_call(tool)) return not_allowed(tool, in.client);
    const Json* given = member(in.params(), "arguments");
    if (given != nullptr && !given->is_object()) {
        return invalid_params("arguments must be an object");
    }
    const Json arguments = given ? *given : Json::object();
    if (in.modern() && in.context.headers != nullptr) {
        auto mirrored = check_mirrored(known->second, arguments, *in.context.headers);
        if (!mirrored) return std::unexpected(mirrored.error());
    }
    auto result = run_step(in, [&](const Asked& asked) {
        return to_data(offer_.tools.call(tool, arguments, asked), in.client.era);
    });
    if (!result) return std::unexpected(to_fault(result.error()));
    return finished(*std::move(result), in.client.era);
}

Dispatcher::ResultText Dispatcher::get_task(const Inbound& in) const {
    const auto id = task_id(in.params(), in.client);
    if (!id) return std::unexpected(id.error());
    const auto task = offer_.tasks->get(*id, asked_without_rounds(in));
    if (!task) return std::unexpected(task.error());
    return finished(task_members(*task), in.client.era);
}

Dispatcher::ResultText Dispatcher::update_task(const Inbound& in) const {
    const auto id = task_id(in.params(), in.client);
    if (!id) return std::unexpected(id.error());
    const Json* responses = member(in.params(), "inputResponses");
    if (responses == nullptr || !responses->is_object()) {
        return invalid_params("inputResponses must be an object");
    }
    const auto done = offer_.tasks->update(*id, *responses, asked_without_rounds(in));
    if (!done) return std::unexpected(done.error());
    return finished(Json::object(), in.client.era);
}

Dispatcher::ResultText Dispatcher::cancel_task(const Inbound& in) const {
    const auto id = task_id(in.params(), in.client);
    if (!id) return std::unexpected(id.error());
    const auto done = offer_.tasks->cancel(*id, asked_without_rounds(in));
    if (!done) return std::unexpected(done.error());
    return finished(Json::object(), in.client.era);
}

}  // namespace berth::mcp
