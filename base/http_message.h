// SPDX-License-Identifier: Apache-2.0
// An HTTP request and its response as plain values, the same for the server and the client.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
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

struct HttpRequest {
    std::string method = "GET";
    std::string path = "/";  // as it was sent, without the query
    std::string query = {};
    HttpHeaders headers = {};
    std::string body = {};
    std::string remote = {};               // "127.0.0.1:40312", or "unix"
    std::string local = {};                // the address it came in at
    std::optional<uid_t> peer_uid = {};    // who is at the other end of a unix socket
    std::stop_token server_stopping = {};  // so that a long answer can end early
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
