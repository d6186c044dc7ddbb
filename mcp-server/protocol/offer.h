// SPDX-License-Identifier: Apache-2.0
// What a server offers, however it is implemented: tools, resources, prompts, completions and
// tasks. A handler is written once for all revisions of the protocol: it answers, fails, or says
// what it needs to be told first (InputRequired) and is then called again with the answers.
#pragma once

#include "mcp-server/protocol/fault.h"
#include "mcp-server/protocol/versions.h"
#include "tools-schema/registry/invoker.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace berth::mcp {

inline constexpr const char* tasks_extension = "io.modelcontextprotocol/tasks";

/// Which tools one caller may see and call. Only ever narrower than what the server has.
struct ToolScope {
    std::string key;  // the same for scopes that allow the same, so that listings can be kept
    std::function<bool(std::string_view tool)> allows;
    /// What WWW-Authenticate says when it is the caller's token that does not allow the tool; ""
    /// when the tool is not offered to anybody in this way.
    std::function<std::string(std::string_view tool)> challenge = {};
};

/// Who asks, and what it says it can do.
struct Client {
    Era era = Era::legacy;
    std::string version = {};
    Json capabilities = Json::object();
    std::string principal = {};  // "token:ci", "mcp-stdio"; never changes within a session
    std::shared_ptr<const ToolScope> tools = {};  // null: all of them

    /// "elicitation", "sampling", "roots".
    [[nodiscard]] bool can(std::string_view capability) const;
    [[nodiscard]] bool has_extension(std::string_view name) const;
    [[nodiscard]] bool may_call(std::string_view tool) const {
        return tools == nullptr || tools->allows(tool);
    }
};

/// In the order of severity (RFC 5424).
enum class LogLevel : std::uint8_t {
    debug,
    info,
    notice,
    warning,
    error,
    critical,
    alert,
    emergency,
};

/// The circumstances of one request to a handler.
struct Asked {
    Call call = {};  // report reaches the client when it gave a progress token
    Client client = {};
    /// Sends a log message if the client wants that level. Never empty inside a handler.
    std::function<void(LogLevel level, const Json& data)> log = {};
    /// Ends the client's event stream while the handler goes on: it fetches the rest later. Does
    /// nothing where that does not exist.
    std::function<void()> end_stream = {};
    Json responses = nullptr;  // to the InputRequired before: {key: what the client answered}
    Json state = nullptr;      // what that InputRequired kept

    /// The content of an accepted elicitation; nullptr when there is none (also when declined).
    [[nodiscard]] const Json* accepted(const char* key) const;
    /// "accept", "decline", "cancel", or "" when nothing of that form was answered.
    [[nodiscard]] std::string action(const char* key) const;
    /// What a client answered under that key, an object; nullptr when there is none.
    [[nodiscard]] const Json* response(const char* key) const;
};

/// What the client has to be asked before there is an answer.
struct InputRequired {
    Json requests = Json::object();  // {key: {"method": "elicitation/create", "params": {…}}}
    Json state = nullptr;            // kept for the next call; the client cannot read or change it
};

/// A typed result: it becomes structuredContent, and a text made from it.
struct TypedOutput {
    Json value;
};

/// Content blocks as they go out.
struct RawContent {
    Json blocks = Json::array();
    bool is_error = false;
};

/// Work that goes on after the answer: the state of one task of the tasks extension.
struct Task {
    std::string id;
    std::string status = "working";  // input_required, completed, failed, cancelled
    std::string message = {};
    std::string created_at;  // RFC 3339
    std::string updated_at;
    std::optional<std::int64_t> ttl_ms = {};
    std::int64_t poll_interval_ms = 1000;
    Json input_requests = nullptr;  // input_required
    std::variant<std::monostate, TypedOutput, RawContent, Error, Fault> outcome = {};  // at the end
};

using ToolReply = std::variant<TypedOutput, RawContent, InputRequired, Task>;
/// A tool fails with an Error, which the model reads; only a wrong message is a Fault.
using Refusal = std::variant<Error, Fault>;
using ToolAnswer = std::expected<ToolReply, Refusal>;

struct ToolEntry {
    std::string name;
    std::string listing;  // its entry in tools/list, JSON text
};

class ToolSet {
public:
    ToolSet() = default;
    ToolSet(const ToolSet&) = delete;
    ToolSet& operator=(const ToolSet&) = delete;
    virtual ~ToolSet() = default;

    /// The same at every call, in the order of the listing.
    [[nodiscard]] virtual std::span<const ToolEntry> entries() const = 0;

    /// Called from many threads, only with a name from entries() that the client may call. Returns
    /// soon after Call::cancelled.
    [[nodiscard]] virtual ToolAnswer call(std::string_view name, const Json& arguments,
                                          const Asked& asked) = 0;
};

/// {"contents": […]} or {"messages": […]}: the members of a result, without what every result has.
using DataAnswer = std::expected<std::variant<Json, InputRequired>, Refusal>;

struct ResourcePage {
    Json resources = Json::array();
    std::optional<std::string> next_cursor = {};
};

class ResourceSet {
public:
    ResourceSet() = default;
    ResourceSet(const ResourceSet&) = delete;
    ResourceSet& operator=(const ResourceSet&) = delete;
    virtual ~ResourceSet() = default;

    /// A Fault for a cursor that was never given out.
    [[nodiscard]] virtual std::expected<ResourcePage, Refusal> list(
        const std::optional<std::string>& cursor, const Asked& asked) = 0;
    /// The entries of resources/templates/list, an array. The same at every call.
    [[nodiscard]] virtual const Json& templates() const = 0;
    /// {"contents": […]}; an Error not_found when there is no such resource.
    [[nodiscard]] virtual DataAnswer read(const std::string& uri, const Asked& asked) = 0;
    /// Whether updates of it can be watched.
    [[nodiscard]] virtual bool can_watch(const std::string& uri) const = 0;
};

class PromptSet {
public:
    PromptSet() = default;
    PromptSet(const PromptSet&) = delete;
    PromptSet& operator=(const PromptSet&) = delete;
    virtual ~PromptSet() = default;

    /// The entries of prompts/list, an array. The same at every call.
    [[nodiscard]] virtual const Json& entries() const = 0;
    /// {"description"?, "messages": […]}. A Fault for an unknown name or a missing argument.
    [[nodiscard]] virtual DataAnswer get(const std::string& name,
                                         const std::map<std::string, std::string>& arguments,
                                         const Asked& asked) = 0;
};

struct Completion {
    std::vector<std::string> values = {};  // the dispatcher sends the first 100
    std::size_t total = 0;
};

class Completer {
public:
    Completer() = default;
    Completer(const Completer&) = delete;
    Completer& operator=(const Completer&) = delete;
    virtual ~Completer() = default;

    /// `reference` is {"type": "ref/prompt", "name"} or {"type": "ref/resource", "uri"};
    /// `context` the arguments given already. A Fault for a reference to nothing.
    [[nodiscard]] virtual std::expected<Completion, Fault> complete(const Json& reference,
                                                                    const std::string& argument,
                                                                    const std::string& begun,
                                                                    const Json& context,
                                                                    const Asked& asked) = 0;
};

class TaskSet {
public:
    TaskSet() = default;
    TaskSet(const TaskSet&) = delete;
    TaskSet& operator=(const TaskSet&) = delete;
    virtual ~TaskSet() = default;

    /// A Fault (invalid_params) for a task that is unknown, over, or somebody else's.
    [[nodiscard]] virtual std::expected<Task, Fault> get(const std::string& id,
                                                         const Asked& asked) = 0;
    /// What a task in state input_required is told; what it did not ask for is ignored.
    [[nodiscard]] virtual std::expected<void, Fault> update(const std::string& id,
                                                            const Json& responses,
                                                            const Asked& asked) = 0;
    /// Asks it to end; fine for one that has ended.
    [[nodiscard]] virtual std::expected<void, Fault> cancel(const std::string& id,
                                                            const Asked& asked) = 0;
};

/// Who answers; `instructions` tell a model how to begin.
struct ServerIdentity {
    std::string name;
    std::string title;
    std::string version;
    std::string instructions;
};

/// All of it. What is null does not exist and is not advertised; all must outlive the dispatcher.
struct Offer {
    ServerIdentity identity;
    ToolSet& tools;
    ResourceSet* resources = nullptr;
    PromptSet* prompts = nullptr;
    Completer* completer = nullptr;
    TaskSet* tasks = nullptr;
    // Which lists can change while the server runs (told through a Hub).
    bool tools_change = false;
    bool resources_change = false;
    bool prompts_change = false;
};

}  // namespace berth::mcp
