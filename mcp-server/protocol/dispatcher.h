// SPDX-License-Identifier: Apache-2.0
// The protocol itself: a message in, an answer out, and no I/O. Used by stdio and by HTTP alike. It
// keeps nothing between two messages; what a legacy session agreed on comes from the transport.
#pragma once

#include "mcp-server/protocol/envelope.h"
#include "mcp-server/protocol/tool_set.h"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace berth::mcp {

/// Who answers; `instructions` tell a model how to begin.
struct ServerIdentity {
    std::string name;
    std::string title;
    std::string version;
    std::string instructions;
};

/// Whether a message belongs to a legacy session.
enum class Session : std::uint8_t {
    not_used,  // stdio: the process is the session
    missing,   // HTTP, and the message names none
    unknown,   // HTTP, and the one it names is over or was never ours
    open,
};

/// What the transport knows of a message beyond its text.
struct RequestContext {
    const HttpHeaders* headers = nullptr;  // null over stdio
    Session session = Session::not_used;
    std::string session_version = {};  // what initialize agreed on; "" before
    Call call = {};
};

struct Outcome {
    int http_status = 200;
    std::string text = {};            // one line of JSON, or "" for nothing to say
    std::string agreed_version = {};  // set by an initialize: here a session begins
};

class Dispatcher {
public:
    /// `tools` must outlive this.
    Dispatcher(ServerIdentity identity, ToolSet& tools);

    /// Answers one message or batch. Called from many threads.
    [[nodiscard]] Outcome answer(std::string_view text, const RequestContext& context) const;

    [[nodiscard]] Outcome dispatch(const jsonrpc::Message& message,
                                   const RequestContext& context) const;

private:
    struct Method;
    using ResultText = std::expected<std::string, Fault>;
    [[nodiscard]] static const Method* find_method(std::string_view name, Era era);

    [[nodiscard]] Outcome answer_request(const jsonrpc::Request& request,
                                         const RequestContext& context) const;
    [[nodiscard]] Outcome answer_batch(const jsonrpc::Payload& payload,
                                       const RequestContext& context) const;

    [[nodiscard]] ResultText run(const Method& method, const Json& params, Era era,
                                 const Call& call) const;

    [[nodiscard]] ResultText initialize(const Json& params, Era era, const Call& call) const;
    [[nodiscard]] ResultText ping(const Json& params, Era era, const Call& call) const;
    [[nodiscard]] ResultText discover(const Json& params, Era era, const Call& call) const;
    [[nodiscard]] ResultText list_tools(const Json& params, Era era, const Call& call) const;
    [[nodiscard]] ResultText call_tool(const Json& params, Era era, const Call& call) const;
    [[nodiscard]] Json tool_result(const ToolReply& reply) const;
    [[nodiscard]] Json tool_error(const Error& error, Era era) const;
    void complete(Json& result, Era era) const;

    ServerIdentity identity_;
    ToolSet& tools_;
    Json server_info_;
    std::set<std::string, std::less<>> tool_names_;
    // Written once, because they are most of the bytes a server sends.
    std::string legacy_tools_, modern_tools_, discovery_;
};

}  // namespace berth::mcp
