// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/streamable_http.h"

#include "mcp-server/protocol/circumstances.h"
#include "mcp-server/protocol/versions.h"
#include "mcp-server/transport/event_stream.h"
#include "mcp-server/transport/outbox.h"

#include <fmt/format.h>

namespace berth::mcp {
namespace {

constexpr std::string_view session_header = "mcp-session-id";
constexpr const char* allowed_methods = "GET, POST, DELETE, OPTIONS";

HttpResponse refuse(int status, std::string_view why) {
    return json_response(status, StreamableHttp::error_body(status, why));
}

HttpResponse refuse_method(std::string_view method) {
    auto response = refuse(405, fmt::format("{} is not served here", method));
    response.headers.emplace("allow", allowed_methods);
    return response;
}

HttpResponse no_such_session() {
    return json_response(404, jsonrpc::error_text(std::nullopt, {.code = session_not_found,
                                                                 .message = "Session not found"}));
}

bool is_json(const HttpHeaders& headers) {
    const std::string* type = find_header(headers, "content-type");
    if (type == nullptr) return false;
    std::string_view media = std::string_view(*type).substr(0, type->find(';'));
    while (media.ends_with(' ')) media.remove_suffix(1);
    return media == "application/json";
}

/// Legacy clients name both JSON and event streams; one of them is enough.
bool accepts_answers(const HttpHeaders& headers) {
    const std::string* accept = find_header(headers, "accept");
    if (accept == nullptr) return true;
    for (const std::string_view type :
         {"*/*", "application/*", "application/json", "text/event-stream"}) {
        if (accept->contains(type)) return true;
    }
    return false;
}

bool is_modern(const HttpHeaders& headers) {
    const std::string* version = find_header(headers, "mcp-protocol-version");
    return version != nullptr && *version == modern_version;
}

/// Event streams of these revisions can be resumed.
bool can_resume(const Session& session) {
    return session.version() >= newest_legacy_version;
}

/// One of the streams that may be open at once.
class StreamSlot {
public:
    StreamSlot(std::atomic<std::size_t>& open, std::size_t max) : open_(open) {
        granted_ = open_.fetch_add(1) < max;
    }
    StreamSlot(const StreamSlot&) = delete;
    StreamSlot& operator=(const StreamSlot&) = delete;
    ~StreamSlot() { --open_; }
    [[nodiscard]] bool granted() const { return granted_; }

private:
    std::atomic<std::size_t>& open_;
    bool granted_;
};

HttpResponse too_many_streams(const std::optional<jsonrpc::Id>& id, std::size_t max) {
    auto response = json_response(
        429, jsonrpc::error_text(
                 id, {.code = jsonrpc::internal_error,
                      .message = fmt::format("{} streams are open, which is the most this server "
                                             "keeps; end one, or try again later",
                                             max)}));
    response.headers.emplace("retry-after", "5");
    return response;
}

/// Sends what comes into the box until the client leaves, cannot keep up, or the server ends.
void pump(HttpExchange& http, Outbox& box, const std::stop_token& stop) {
    while (!stop.stop_requested() && !box.overflowed()) {
        const auto message = box.take(keep_alive_interval, stop);
        if (stop.stop_requested() || box.overflowed()) return;
        if (!http.write(message ? event_text(*message) : std::string(keep_alive_comment))) return;
    }
}

}  // namespace

StreamableHttp::StreamableHttp(const Dispatcher& dispatcher, auth::Seals seals,
                               HttpTransportOptions options)
    : dispatcher_(dispatcher), sessions_(std::move(seals)), options_(std::move(options)) {}

std::string StreamableHttp::error_body(int status, std::string_view message) {
    return jsonrpc::error_text(
        std::nullopt, {.code = status == 500 ? jsonrpc::internal_error : implementation_error,
                       .message = std::string(message)});
}

HttpResponse StreamableHttp::answer(const HttpRequest& request) {
    // On unix sockets too: behind a proxy they are as reachable as the proxy.
    if (const auto why = access_refusal(request.headers, options_.access)) return refuse(403, *why);
    if (request.path == mcp_path) return answer_mcp(request);
    for (const HttpRoute& route : options_.routes) {
        if (request.path != route.path) continue;
        if (route.open) return route.answer(request, {});
        const auto who = admit(request);
        return who ? route.answer(request, *who) : who.error();
    }
    return refuse(404, "MCP is served at /mcp");
}

std::expected<Admitted, HttpResponse> StreamableHttp::admit(const HttpRequest& request) const {
    if (!options_.admit) return Admitted{.principal = "anyone"};
    return options_.admit(request);
}

HttpResponse StreamableHttp::answer_mcp(const HttpRequest& request) {
    if (request.method == "OPTIONS") {
        return {.status = 204, .headers = {{"allow", allowed_methods}}};
    }
    const auto who = admit(request);
    if (!who) return who.error();
    if (request.method == "POST") return answer_post(request, *who);
    if (!is_modern(request.headers)) {
        if (request.method == "GET") return answer_get(request, *who);
        if (request.method == "DELETE") return end_session(request, *who);
    }
    return refuse_method(request.method);
}

HttpResponse StreamableHttp::answer_post(const HttpRequest& request, const Admitted& who) {
    if (!is_json(request.headers)) return refuse(415, "the Content-Type must be application/json");
    if (!is_modern(request.headers) && !accepts_answers(request.headers)) {
        return refuse(406,
                      "answers are application/json or text/event-stream, which Accept "
                      "excludes");
    }
    RequestContext context{.headers = &request.headers,
                           .session_state = SessionState::missing,
                           .principal = who.principal,
                           .tools = who.tools,
                           .ending = request.server_stopping};
    std::shared_ptr<HttpSession> session;
    if (const std::string* id = find_header(request.headers, session_header)) {
        session = sessions_.find(*id, who.principal);
        context.session_state = session ? SessionState::open : SessionState::unknown;
    }
    std::optional<PostExchange> exchange;
    if (request.exchange != nullptr) {
        const bool resumable = session && can_resume(*session->session);
        exchange.emplace(*request.exchange, resumable ? &session->log : nullptr);
        context.exchange = &*exchange;
    }
    const auto payload = jsonrpc::parse(request.body);
    if (session && !is_modern(request.headers)) {
        context.session = session->session;
        const auto* only = payload && !payload->batch && payload->messages.front()
                               ? std::get_if<jsonrpc::Request>(&*payload->messages.front())
                               : nullptr;
        if (only != nullptr) {
            context.running = std::make_shared<Session::Running>(session->session, only->id);
        }
    }
    const Outcome outcome = dispatcher_.answer(payload, context);
    if (outcome.listen) return keep_listening(request, *outcome.listen);
    if (exchange && exchange->finish(outcome.text)) return {};
    if (outcome.text.empty()) return {.status = outcome.http_status};
    auto response = json_response(outcome.http_status, outcome.text);
    if (!outcome.www_authenticate.empty()) {
        response.headers.emplace("www-authenticate", outcome.www_authenticate);
    }
    if (outcome.agreed) {
        response.headers.emplace(session_header, sessions_.issue(*outcome.agreed, who.principal));
    }
    return response;
}

HttpResponse StreamableHttp::keep_listening(const HttpRequest& request, const Listen& listen) {
    if (request.exchange == nullptr) return refuse(500, "there is no connection to keep open");
    const StreamSlot slot(streams_, options_.streams_max);
    if (!slot.granted()) return too_many_streams(listen.id, options_.streams_max);
    HttpExchange& http = *request.exchange;
    Outbox box;
    // Before the acknowledgement: what changes after it is told.
    const auto subscription = dispatcher_.hub().subscribe(
        listen.interest, listen.id, [&box](const std::string& message) { box.put(message); });
    if (!http.begin(200, event_stream_headers())) return {};
    if (!http.write(event_text(listen.acknowledge))) return {};
    if (!listen.empty()) {
        AnyStop stop;
        stop.add(request.server_stopping);
        stop.add(http.gone());
        pump(http, box, stop.token());
    }
    (void)!http.write(event_text(listen.end));
    return {};
}

HttpResponse StreamableHttp::answer_get(const HttpRequest& request, const Admitted& who) {
    const std::string* accept = find_header(request.headers, "accept");
    if (accept == nullptr || !accept->contains("text/event-stream")) {
        return refuse(406, "GET opens an event stream; Accept must name text/event-stream");
    }
    const std::string* id = find_header(request.headers, session_header);
    if (id == nullptr) return refuse(400, "the header Mcp-Session-Id is missing");
    const auto session = sessions_.find(*id, who.principal);
    if (!session) return no_such_session();
    if (request.exchange == nullptr) return refuse(500, "there is no connection to keep open");
    const StreamSlot slot(streams_, options_.streams_max);
    if (!slot.granted()) return too_many_streams(std::nullopt, options_.streams_max);
    if (const std::string* text = find_header(request.headers, "last-event-id")) {
        const auto last = EventId::parse(*text);
        if (last && session->log.knows(last->stream)) return resume(request, *session, *last);
    }
    return follow_session(request, *session);
}

/// What the server says to a session outside any request.
HttpResponse StreamableHttp::follow_session(const HttpRequest& request, HttpSession& session) {
    if (session.streaming.exchange(true)) {
        return refuse(409, "the session has a stream already");
    }
    HttpExchange& http = *request.exchange;
    const auto box = std::make_shared<Outbox>();
    session.session->attach(dispatcher_.hub(), dispatcher_.changing_lists(),
                            [box](const std::string& message) { box->put(message); });
    if (http.begin(200, event_stream_headers())) {
        AnyStop stop;
        stop.add(request.server_stopping);
        stop.add(http.gone());
        if (http.write(keep_alive_comment)) pump(http, *box, stop.token());
    }
    session.session->detach();
    session.streaming = false;
    return {};
}

/// The rest of a POST's stream, as it comes.
HttpResponse StreamableHttp::resume(const HttpRequest& request, HttpSession& session,
                                    EventId last) {
    HttpExchange& http = *request.exchange;
    if (!http.begin(200, event_stream_headers())) return {};
    AnyStop stop;
    stop.add(request.server_stopping);
    stop.add(http.gone());
    for (;;) {
        const auto next = session.log.next(last, keep_alive_interval, stop.token());
        if (next.how == ReplayLog::Wait::over || stop.token().stop_requested()) return {};
        const bool sent = next.how == ReplayLog::Wait::event
                              ? http.write(event_text(next.event.message, next.event.id))
                              : http.write(keep_alive_comment);
        if (!sent) return {};
        if (next.how == ReplayLog::Wait::event) last = next.event.id;
    }
}

HttpResponse StreamableHttp::end_session(const HttpRequest& request, const Admitted& who) {
    const std::string* id = find_header(request.headers, session_header);
    if (id == nullptr) return refuse(400, "the header Mcp-Session-Id is missing");
    if (!sessions_.find(*id, who.principal)) return no_such_session();
    sessions_.end(*id);
    return {.status = 200};
}

}  // namespace berth::mcp
