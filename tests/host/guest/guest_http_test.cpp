// SPDX-License-Identifier: Apache-2.0
#include "host/guest/guest_http.h"

#include "tests/support/catch.h"

#include <string>
#include <utility>

using namespace berth::guest;

TEST_CASE("a request is understood once its head is whole", "[guest]") {
    const std::string request = "GET /1.0 HTTP/1.1\r\nhost: berth\r\n\r\n";
    CHECK(read_request(request) == Asked::about);
    for (std::size_t length = 0; length < request.size(); ++length) {
        CAPTURE(length);
        REQUIRE(read_request(request.substr(0, length)) == Asked::need_more);
    }
}

TEST_CASE("everything but two paths and one method is refused by name", "[guest]") {
    const auto [text, asked] = GENERATE(table<std::string, Asked>(
        {{"GET / HTTP/1.0\r\n\r\n", Asked::index},
         {"GET /1.0/ HTTP/1.1\r\n\r\n", Asked::nothing_here},
         {"GET /1.0?x HTTP/1.1\r\n\r\n", Asked::nothing_here},
         {"get /1.0 HTTP/1.1\r\n\r\n", Asked::not_allowed},
         {"DELETE /1.0 HTTP/1.1\r\n\r\n", Asked::not_allowed},
         {"GET /1.0 HTTP/2.0\r\n\r\n", Asked::not_http},
         {" HTTP/1.1\r\n\r\n", Asked::not_http},
         {" /1.0 HTTP/1.1\r\n\r\n", Asked::not_http},
         {"\r\n\r\n", Asked::not_http},
         {std::string(5000, 'x'), Asked::too_long},
         {"GET /1.0 HTTP/1.1\r\nx: " + std::string(5000, 'x') + "\r\n\r\n", Asked::too_long}}));
    CAPTURE(text);
    CHECK(read_request(text) == asked);
}

TEST_CASE("an answer says how long it is, and that it is the last", "[guest]") {
    CHECK(http_answer(200, "{}") ==
          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\nconnection: "
          "close\r\n\r\n{}\n");
    CHECK(refusal(Asked::not_allowed).find("\r\nallow: GET\r\n") != std::string::npos);
    CHECK(failure(berth::make_error(berth::ErrorCode::unavailable, "gone"))
              .starts_with("HTTP/1.1 503 "));
}
