// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/gate.h"

#include "base/files.h"
#include "mcp-server/offer/allowed_calls.h"
#include "mcp-server/protocol/rounds.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

constexpr const char* question = "confirm";
constexpr const char* token_argument = "confirm_token";
/// More of the arguments is not shown to a person.
constexpr std::size_t shown_bytes_max = 1000;
constexpr std::size_t nonce_bytes = 16;

bool is_true(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && *found == true;
}

/// `{"elicitation": {}}` means forms; one that names only URLs has none.
bool shows_forms(const Client& client) {
    if (!client.can("elicitation")) return false;
    const Json& how = client.capabilities["elicitation"];
    return how.is_object() && (how.empty() || how.contains("form"));
}

/// At most so many bytes, cut between characters, and on one line.
std::string for_a_person(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
    }
    if (text.size() <= shown_bytes_max) return text;
    std::size_t cut = shown_bytes_max;
    while (cut > 0 && (text[cut] & '\xC0') == '\x80') --cut;
    const std::size_t left_out = text.size() - cut;
    return text.substr(0, cut) + fmt::format("… ({} more bytes)", left_out);
}

/// The arguments as a person's screen may show them: of variables (`env`) only the names.
std::string shown(Json arguments) {
    const auto env = arguments.find("env");
    if (env == arguments.end() || !env->is_array()) return to_text(arguments);
    for (Json& variable : *env) {
        if (!variable.is_string()) continue;
        const auto text = variable.get<std::string>();
        variable = text.substr(0, text.find('=')) + "=…";
    }
    return to_text(arguments);
}

using Labels = std::vector<std::string>;

/// ["key=value", …]: left out when there are none.
Labels labels_in(const Json& object) {
    Labels labels;
    for (const Json& label : object.value("labels", Json::array())) {
        if (label.is_string()) labels.push_back(label.get<std::string>());
    }
    return labels;
}

/// A container's; nothing for a target of another kind, of which they cannot be known.
std::optional<Labels> labels_of_container(const Json& target) {
    if (text_member(target, "name").empty() || text_member(target, "image").empty()) {
        return std::nullopt;
    }
    return labels_in(target);
}

/// The container that a call names; "" when it names none.
std::string container_of(const Json& arguments) {
    const std::string container = text_member(arguments, "container");
    return container.empty() ? text_member(arguments, "name") : container;
}

Error denied(const ToolSpec& tool, const std::string& reason, const char* next) {
    return make_error(ErrorCode::denied, fmt::format("{} was not done: {}", tool.name, reason))
        .next(next);
}

std::string what_is_lost(const ToolSpec& tool) {
    return tool.destructive ? "What this removes cannot be brought back.\n" : "";
}

InputRequired form(const ToolSpec& tool, const Json& arguments, const std::string& would,
                   Json state) {
    const std::string message =
        fmt::format("May the agent {}?\n{}The call: {} {}", for_a_person(would), what_is_lost(tool),
                    tool.name, for_a_person(shown(arguments)));
    return {.requests = {{question,
                          {{"method", "elicitation/create"},
                           {"params",
                            {{"mode", "form"},
                             {"message", message},
                             {"requestedSchema",
                              {{"type", "object"},
                               {"properties",
                                {{"confirm",
                                  {{"type", "boolean"},
                                   {"title", "Yes, do it"},
                                   {"description", "Without this nothing is done."}}}}},
                               {"required", {"confirm"}}}}}}}}},
            .state = std::move(state)};
}

/// A call that only looks, on behalf of the one that was asked for.
Call looking(const Asked& asked) {
    return {.caller = asked.call.caller,
            .deadline = asked.call.deadline,
            .cancelled = asked.call.cancelled};
}

}  // namespace

Gate::Gate(Invoker& invoker, const policy::Policy& policy, policy::ConfirmTokens& tokens,
           const Clock& clock)
    : invoker_(invoker),
      policy_(policy),
      tokens_(tokens),
      clock_(clock),
      spent_(clock),
      process_(random_hex(nonce_bytes)) {}

Result<> Gate::look(Passage& passage) {
    if (passage.preview) return {};
    Json arguments = passage.arguments;
    arguments["dry_run"] = true;
    // They are about the call that may follow.
    for (const auto* key : {"request_id", "background"}) arguments.erase(key);
    const Json answer =
        BERTH_TRY(invoker_.invoke(passage.tool.name, arguments, looking(passage.asked)));
    Preview preview{.would = text_member(answer, "would"), .state = text_member(answer, "state")};
    if (preview.would.empty() || preview.state.empty()) {
        return fail(denied(passage.tool, "nothing says what it would do",
                           "update berthd, which must be as new as berth-mcp"));
    }
    if (answer.contains("target")) preview.target = answer["target"];
    passage.preview = std::move(preview);
    return {};
}

Result<std::optional<std::vector<std::string>>> Gate::labels_of(Passage& passage) {
    if (!passage.tool.read_only) {
        BERTH_TRY(look(passage));
        const Json& target = passage.preview->target;
        // What is not there yet has the labels that it is to get.
        return target.is_null() ? labels_in(passage.arguments) : labels_of_container(target);
    }
    const std::string container = container_of(passage.arguments);
    if (container.empty()) return Labels{};  // it is about no one container
    return labels_of_container(BERTH_TRY(
        invoker_.invoke("container_get", {{"name", container}, {"response_format", "detailed"}},
                        looking(passage.asked))));
}

Result<Gate::Verdict> Gate::ask_person(Passage passage) {
    const Asked& asked = passage.asked;
    // An answer counts only to what was asked; without one the question is asked (again).
    const std::string action = asked.state.is_object() ? asked.action(question) : "";
    const Json* content = asked.accepted(question);
    const bool agreed = content != nullptr && is_true(*content, question);
    if (action == "accept" && agreed) {
        std::string state = text_member(asked.state, "state");
        if (!state.empty() && spend(text_member(asked.state, "nonce"))) {
            return Passed{.arguments = std::move(passage.arguments),
                          .expected_state = std::move(state)};
        }
        // It was used before: whoever gave it has agreed to one call, not to two.
    } else if (action == "accept" || action == "decline" || action == "cancel") {
        return Declined{
            fmt::format("Nothing was done: {} needs a person's agreement, which was "
                        "not given ({}).",
                        passage.tool.name, action == "accept" ? "unconfirmed" : action)};
    }
    BERTH_TRY(look(passage));
    return form(passage.tool, passage.arguments, passage.preview->would,
                {{"state", passage.preview->state}, {"nonce", process_ + random_hex(nonce_bytes)}});
}

bool Gate::spend(const std::string& nonce) {
    return nonce.starts_with(process_) && spent_.spend(nonce, clock_.wall() + request_state_kept);
}

Result<Gate::Verdict> Gate::redeem(Passage passage, const Json& token) {
    auto state = tokens_.redeem(token.is_string() ? token.get<std::string>() : "",
                                passage.asked.client.principal, passage.tool.name,
                                policy::arguments_digest(passage.arguments));
    if (!state) return demand_token(std::move(passage), state.error().message + ", so ");
    return Passed{.arguments = std::move(passage.arguments), .expected_state = *std::move(state)};
}

Result<Gate::Verdict> Gate::demand_token(Passage passage, const std::string& why) {
    if (policy_.confirm_fallback() == policy::ConfirmFallback::deny) {
        return fail(denied(passage.tool, "a person must confirm it, and your client cannot ask one",
                           "use a client that supports elicitation, or ask the operator"));
    }
    BERTH_TRY(look(passage));
    Error error = make_error(
        ErrorCode::needs_confirmation,
        fmt::format("{}nothing was done yet. It would {}.{}", why,
                    for_a_person(passage.preview->would),
                    passage.tool.destructive ? " What it removes cannot be brought back." : ""));
    const std::string token =
        tokens_.issue(passage.asked.client.principal, passage.tool.name,
                      policy::arguments_digest(passage.arguments), passage.preview->state);
    error.data = to_text({{token_argument, token}, {"target", passage.preview->target}});
    error.hint = fmt::format(
        "ask the person you work for; when they agree, make the same call again within {} seconds "
        "with \"{}\": \"{}\"",
        policy::confirm_token_good_for.count(), token_argument, token);
    return fail(std::move(error));
}

Result<Gate::Verdict> Gate::pass(const ToolSpec& tool, const Json& arguments, const Asked& asked) {
    if (!arguments.is_object()) {
        return fail(make_error(ErrorCode::invalid_argument, "the arguments must be an object"));
    }
    Passage passage{.tool = tool, .arguments = arguments, .asked = asked};
    passage.arguments.erase(token_argument);  // that is between the caller and the gate
    std::optional<std::vector<std::string>> labels;
    if (policy_.needs_labels(tool)) labels = BERTH_TRY(labels_of(passage));
    const policy::Decision decision = policy_.decide(tool, labels);
    if (decision.action == policy::Action::deny) {
        return fail(denied(tool, decision.reason,
                           "do without it, or ask the operator to change the policy"));
    }
    if (decision.action == policy::Action::allow) {
        return Passed{.arguments = std::move(passage.arguments)};
    }
    // A dry run changes nothing, so there is nothing to agree to.
    if (is_true(arguments, "dry_run")) return Passed{.arguments = std::move(passage.arguments)};
    const auto token = arguments.find(token_argument);
    if (token != arguments.end()) return redeem(std::move(passage), *token);
    if (shows_forms(asked.client)) return ask_person(std::move(passage));
    return demand_token(std::move(passage), "");
}

Result<Json> GatedInvoker::invoke(std::string_view tool, const Json& arguments, const Call& call) {
    const ToolSpec* spec = find_tool(tool);
    if (spec == nullptr) return invoker_.invoke(tool, arguments, call);  // it knows what is near
    auto verdict = BERTH_TRY(
        gate_.pass(*spec, arguments, {.call = call, .client = {.principal = call.caller}}));
    auto* passed = std::get_if<Gate::Passed>(&verdict);
    if (passed == nullptr) {
        return fail(denied(*spec, "nobody can be asked", "use a client that supports elicitation"));
    }
    Call through = call;
    if (!passed->expected_state.empty()) through.expected_state = passed->expected_state;
    return invoker_.invoke(tool, passed->arguments, through);
}

}  // namespace berth::mcp
