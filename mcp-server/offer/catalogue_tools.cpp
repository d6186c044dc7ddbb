// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/catalogue_tools.h"

#include "mcp-server/offer/allowed_calls.h"
#include "mcp-server/offer/catalogue_tasks.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

bool wants_background(const Json& arguments) {
    const auto found = arguments.find("background");
    return found != arguments.end() && *found == true;
}

/// When a call of that tool should answer with its operation; nothing: never.
std::optional<std::chrono::milliseconds> background_after(const ToolSpec& tool,
                                                          const Json& arguments,
                                                          const Asked& asked) {
    if (!tool.long_running || wants_background(arguments)) return std::nullopt;
    if (asked.client.has_extension(tasks_extension)) return task_after;
    if (asked.call.report) return std::nullopt;  // progress keeps its clock from running out
    return operation_after;
}

/// A next step that this caller cannot make is one for the operator, and is told in words alone.
Error within_reach(Error error, const Client& client) {
    if (!error.next_call || client.may_call(error.next_call->tool)) return error;
    const auto* tool = find_tool(error.next_call->tool);
    error.hint += fmt::format("; that tool is not offered to you, and the operator can offer it{}",
                              tool ? fmt::format(" (toolset '{}')", tool->toolset) : "");
    error.next_call.reset();
    return error;
}

}  // namespace

CatalogueTools::CatalogueTools(Invoker& invoker, Gate& gate, std::span<const ToolSpec> tools)
    : invoker_(invoker), gate_(gate), tools_(tools) {
    for (const ToolSpec& tool : tools_) {
        entries_.push_back({.name = std::string(tool.name), .listing = std::string(tool.listing)});
    }
}

ToolAnswer CatalogueTools::call(std::string_view name, const Json& arguments, const Asked& asked) {
    auto answer = attempt(name, arguments, asked);
    if (answer) return answer;
    if (auto* error = std::get_if<Error>(&answer.error())) {
        *error = within_reach(std::move(*error), asked.client);
    }
    return answer;
}

ToolAnswer CatalogueTools::attempt(std::string_view name, const Json& arguments,
                                   const Asked& asked) {
    const auto tool = std::ranges::find(tools_, name, &ToolSpec::name);
    if (tool == tools_.end()) return invalid_params(fmt::format("unknown tool '{}'", name));
    auto verdict = gate_.pass(*tool, arguments, asked);
    if (!verdict) return std::unexpected(std::move(verdict).error());
    if (auto* question = std::get_if<InputRequired>(&*verdict)) return std::move(*question);
    if (const auto* declined = std::get_if<Gate::Declined>(&*verdict)) {
        // Clients want structured content of every tool that declares it, and it went well.
        return TypedOutput{{{"done", false}, {"message", declined->says}}};
    }
    auto& passed = std::get<Gate::Passed>(*verdict);
    Call call = asked.call;
    call.expected_state = std::move(passed.expected_state);
    call.background_after = background_after(*tool, passed.arguments, asked);
    Json answer = BERTH_TRY(invoker_.invoke(name, passed.arguments, call));
    const Json* operation = tool->long_running ? operation_in(answer) : nullptr;
    if (operation == nullptr) return TypedOutput{std::move(answer)};
    if (call.background_after && asked.client.has_extension(tasks_extension)) {
        return task_of(*operation);
    }
    answer["next"] = fmt::format(
        "It still runs: call operation_get {{\"id\":\"{0}\",\"wait_seconds\":30}} for its result, "
        "or operation_cancel to end it.",
        text_member(*operation, "id"));
    return TypedOutput{std::move(answer)};
}

}  // namespace berth::mcp
