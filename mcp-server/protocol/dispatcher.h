// SPDX-License-Identifier: Apache-2.0
// The protocol itself: a message in, an answer out, and no I/O. Used by stdio, HTTP and unix
// sockets alike. Which revision a message speaks is decided for each message; what a client agreed
// on lives in its Session.
#pragma once

#include "mcp-server/auth/seal.h"
#include "mcp-server/protocol/envelope.h"
#include "mcp-server/protocol/exchange.h"
#include "mcp-server/protocol/hub.h"
#include "mcp-server/protocol/mirrored_params.h"
#include "mcp-server/protocol/offer.h"
#include "mcp-server/protocol/rounds.h"
#include "mcp-server/protocol/session.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace berth::mcp {

/// Whether a message belongs to a legacy session.
enum class SessionState : std::uint8_t {
    not_used,  // the connection is the session
    missing,   // HTTP, and the message names none
    unknown,   // HTTP, and the one it names is over, somebody else's, or was never ours
    open,
};

/// What the transport knows of a message beyond its text.
struct RequestContext {
    const HttpHeaders* headers = nullptr;  // null where there are none
    SessionState session_state = SessionState::not_used;
    std::shared_ptr<Session> session = {};  // null when there is none
    std::string principal = {};
    std::shared_ptr<const ToolScope> tools = {};
    Exchange* exchange = nullptr;  // null: nothing can be sent before the answer
    std::stop_token ending = {};   // the server is
    /// Of the request, when the transport has made it known to the session already.
    std::shared_ptr<Session::Running> running = {};
};

/// What an initialize agreed on: here a session begins.
struct Agreed {
    std::string version;
    Json capabilities;
};

/// A subscriptions/listen that is to stay open.
struct Listen {
    jsonrpc::Id id;
    Interest interest;             // what of the request is honoured
    std::string acknowledge = {};  // the message to send first
    std::string end = {};          // the message to end with, when the server is the one who ends
    [[nodiscard]] bool empty() const {
        return !interest.tools && !interest.prompts && !interest.resources &&
               interest.uris.empty() && interest.tasks.empty();
    }
};

struct Outcome {
    int http_status = 200;
    std::string text = {};              // one line of JSON, or "" for nothing to say
    std::string www_authenticate = {};  // a challenge, when the caller's rights do not suffice
    std::optional<Agreed> agreed = {};
    std::optional<Listen> listen = {};
};

class Dispatcher {
public:
    /// What is offered and `hub` must outlive this.
    Dispatcher(const Offer& offer, Hub& hub, auth::Seals seals);

    /// Answers one message or batch. Called from many threads.
    [[nodiscard]] Outcome answer(std::string_view text, const RequestContext& context) const;
    [[nodiscard]] Outcome answer(const std::expected<jsonrpc::Payload, jsonrpc::Refusal>& payload,
                                 const RequestContext& context) const;

    /// False for messages that are answered without waiting for anything.
    [[nodiscard]] static bool may_wait(const jsonrpc::Payload& payload);

    [[nodiscard]] Hub& hub() const { return hub_; }
    /// Which changes of lists a legacy session is told.
    [[nodiscard]] Interest changing_lists() const;

private:
    /// A request with all that was found out about it.
    struct Inbound {
        const jsonrpc::Request& request;
        const RequestContext& context;
        Client client;
        [[nodiscard]] const Json& params() const { return request.params; }
        [[nodiscard]] bool modern() const { return client.era == Era::modern; }
    };
    struct Method;
    using ResultText = std::expected<std::string, Fault>;
    using Handler = ResultText (Dispatcher::*)(const Inbound& in) const;
    [[nodiscard]] const Method* find_method(std::string_view name, Era era) const;

    [[nodiscard]] Outcome answer_one(const jsonrpc::Message& message,
                                     const RequestContext& context) const;
    [[nodiscard]] Outcome answer_request(const jsonrpc::Request& request,
                                         const RequestContext& context) const;
    [[nodiscard]] Outcome take_note(const jsonrpc::Message& message,
                                    const RequestContext& context) const;
    [[nodiscard]] Outcome answer_batch(const jsonrpc::Payload& payload,
                                       const RequestContext& context) const;
    [[nodiscard]] Outcome open_listen(const Inbound& in) const;
    [[nodiscard]] std::expected<Listen, Fault> read_listen(const Inbound& in) const;
    [[nodiscard]] ResultText run(const Method& method, const Inbound& in) const;

    // What every session needs.
    [[nodiscard]] ResultText initialize(const Inbound& in) const;
    [[nodiscard]] ResultText ping(const Inbound& in) const;
    [[nodiscard]] ResultText discover(const Inbound& in) const;
    [[nodiscard]] ResultText set_level(const Inbound& in) const;

    // Tools and tasks.
    [[nodiscard]] ResultText list_tools(const Inbound& in) const;
    [[nodiscard]] ResultText call_tool(const Inbound& in) const;
    [[nodiscard]] ResultText get_task(const Inbound& in) const;
    [[nodiscard]] ResultText update_task(const Inbound& in) const;
    [[nodiscard]] ResultText cancel_task(const Inbound& in) const;

    // Resources, prompts, completions.
    [[nodiscard]] ResultText list_resources(const Inbound& in) const;
    [[nodiscard]] ResultText list_templates(const Inbound& in) const;
    [[nodiscard]] ResultText read_resource(const Inbound& in) const;
    [[nodiscard]] ResultText subscribe(const Inbound& in) const;
    [[nodiscard]] ResultText unsubscribe(const Inbound& in) const;
    [[nodiscard]] ResultText list_prompts(const Inbound& in) const;
    [[nodiscard]] ResultText get_prompt(const Inbound& in) const;
    [[nodiscard]] ResultText complete_argument(const Inbound& in) const;

    /// Runs a handler in its circumstances, through as many rounds of questions as it needs.
    [[nodiscard]] std::expected<Json, Refusal> run_step(const Inbound& in, const Step& step) const;
    [[nodiscard]] Asked asked_without_rounds(const Inbound& in) const;
    [[nodiscard]] std::string finished(Json result, Era era) const;
    [[nodiscard]] std::string tools_result(const Inbound& in) const;
    [[nodiscard]] Json capabilities(Era era) const;

    Offer offer_;
    Hub& hub_;
    auth::Seals seals_;
    Json server_info_;
    std::map<std::string, std::vector<MirroredParam>, std::less<>> tools_;  // by name
    // Written once, because they are most of the bytes a server sends.
    std::string discovery_, modern_tail_;
    mutable std::mutex listings_mutex_;
    mutable std::map<std::string, std::string> listings_;  // by era and scope
};

}  // namespace berth::mcp
