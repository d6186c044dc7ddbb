// SPDX-License-Identifier: Apache-2.0
// An HTTP request and its response as plain values, the same for the server and the client.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace berth {

/// Names are in lower case; a name that was sent twice is there twice.
using HttpHeaders = std::multimap<std::string, std::string, std::less<>>;

/// The first value of that name, or nullptr.
[[nodiscard]] inline const std::string* find_header(const HttpHeaders& headers,
                                                    std::string_view name) {
    const auto found = headers.find(name);
    return found == headers.end() ? nullptr : &found->second;
}

/// The connection a request came on, for handlers that say more than one thing or that must know
/// when the client is gone. Valid until the handler returns.
class HttpExchange {
public:
    HttpExchange() = default;
    HttpExchange(const HttpExchange&) = delete;
    HttpExchange& operator=(const HttpExchange&) = delete;
    virtual ~HttpExchange() = default;

    /// Sends the head of an answer whose body comes in pieces (chunked). What the handler returns
    /// afterwards is not sent. Once per request. False when the client is gone.
    [[nodiscard]] virtual bool begin(int status, const HttpHeaders& headers) = 0;

    /// Sends one piece at once. False when the client is gone, or did not take it in time (then
    /// nothing more can be sent). Safe from any thread, also while another writes.
    [[nodiscard]] virtual bool write(std::string_view piece) = 0;

    /// Ends the streamed answer now, although the handler has not returned; the connection is
    /// closed. Later writes return false, and the client's leaving is not told any more.
    virtual void end() = 0;

    /// Stops when the client closes its connection, or when the server stops. Watching begins with
    /// the first call. Callbacks on it run on a thread that all requests share: they must not wait.
    [[nodiscard]] virtual std::stop_token gone() = 0;
};

struct HttpRequest {
    std::string method = "GET";
    std::string path = "/";  // as it was sent, without the query
    std::string query = {};
    HttpHeaders headers = {};
    std::string body = {};
    std::string remote = {};             // "127.0.0.1:40312", or "unix"
    std::string local = {};              // the address it came in at
    std::optional<uid_t> peer_uid = {};  // who is at the other end of a unix socket
    std::string peer_certificate = {};   // as HttpSecurity::peer_certificate()
    /// An open file that goes along on a unix socket (SCM_RIGHTS); null: none. Its flags say what
    /// may be done with it: whoever sends it has opened it with rights of its own.
    std::shared_ptr<const int> file = {};
    std::stop_token server_stopping = {};  // so that a long answer can end early
    HttpExchange* exchange = nullptr;      // null in a request that no server received
};

struct HttpResponse {
    int status = 200;
    HttpHeaders headers = {};
    std::string body = {};
};

/// A response whose body is JSON text.
[[nodiscard]] inline HttpResponse json_response(int status, std::string body) {
    return {.status = status,
            .headers = {{"content-type", "application/json"}},
            .body = std::move(body)};
}

}  // namespace berth
