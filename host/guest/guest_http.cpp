// SPDX-License-Identifier: Apache-2.0
#include "host/guest/guest_http.h"

#include "tools-schema/contract/error_table.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <utility>

namespace berth::guest {
namespace {

std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 431:
            return "Request Header Fields Too Large";
        case 503:
            return "Service Unavailable";
        default:
            return "Bad Request";
    }
}

std::string error_answer(int status, std::string_view code, std::string_view message) {
    return http_answer(
        status,
        to_text({{"error", {{"code", code}, {"message", message}, {"hint", "send GET /1.0"}}}}));
}

}  // namespace

Asked read_request(std::string_view bytes) {
    const auto line_end = bytes.find("\r\n");
    const auto head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos || head_end + 4 > request_bytes_max)
        return bytes.size() >= request_bytes_max ? Asked::too_long : Asked::need_more;
    auto line = bytes.substr(0, line_end);
    if (!line.ends_with(" HTTP/1.1") && !line.ends_with(" HTTP/1.0")) return Asked::not_http;
    line.remove_suffix(std::string_view(" HTTP/1.1").size());
    const auto space = line.find(' ');
    if (space == std::string_view::npos || space == 0) return Asked::not_http;
    if (line.substr(0, space) != "GET") return Asked::not_allowed;
    const auto path = line.substr(space + 1);
    if (path == "/1.0") return Asked::about;
    return path == "/" ? Asked::index : Asked::nothing_here;
}

std::string http_answer(int status, std::string_view json) {
    return fmt::format(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}connection: "
        "close\r\n\r\n{}\n",
        status, reason_of(status), json.size() + 1, status == 405 ? "allow: GET\r\n" : "", json);
}

std::string refusal(Asked asked) {
    switch (asked) {
        case Asked::index:
            return http_answer(200, R"({"paths":["/1.0"]})");
        case Asked::nothing_here:
            return error_answer(404, "not_found", "there is nothing at that path");
        case Asked::not_allowed:
            return error_answer(405, "unsupported", "nothing can be changed here");
        case Asked::too_long:
            return error_answer(431, "invalid_argument",
                                fmt::format("a request has at most {} bytes", request_bytes_max));
        case Asked::not_http:
        case Asked::need_more:
        case Asked::about:
            break;
    }
    return error_answer(400, "invalid_argument", "that is no request of HTTP/1.1");
}

std::string failure(const Error& error) {
    return error_answer(503, error_info(error.code).name, error.message);
}

}  // namespace berth::guest
