// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/render.h"

#include "tests/support/catch.h"

using namespace berth;
using mcp::render;

TEST_CASE("an object is lines of key and value") {
    CHECK(
        render(Json::parse(R"({"name":"web","running":true,"cpus":2,"tags":["a","b"],"none":[],
                                 "network":{"address":"10.0.0.2"}})")) ==
        "name: web\nrunning: true\ncpus: 2\ntags: a, b\nnone: none\nnetwork:\n  address: 10.0.0.2");
    CHECK(render(Json::object()) == "done");
}

TEST_CASE("a list of objects is a table whose columns line up") {
    CHECK(render(Json::parse(R"({"containers":[{"name":"web","state":"running"},
                                 {"name":"größer","state":"stopped","ip":"::1"}],"total":2})")) ==
          "containers:\n"
          "  name    state    ip\n"
          "  web     running  -\n"
          "  größer  stopped  ::1\n"
          "total: 2");
}

TEST_CASE("text of several lines starts on a line of its own") {
    CHECK(render(Json{{"config", "Host a\n  Port 1\n"}, {"n", 1}}) ==
          "config:\nHost a\n  Port 1\nn: 1");
}

TEST_CASE("the output of a command comes as it is, below how it ended") {
    Json output = Json::parse(R"({"exit_code":3,"timed_out":false,"duration_ms":5,
        "stdout":{"text":"hello\n"},"stderr":{"text":"oops"}})");
    CHECK(render(output) == "exit code 3\nhello\n[stderr]\noops");
    output["stderr"]["text"] = output["stdout"]["text"] = "";
    CHECK(render(output) == "exit code 3");
    output["timed_out"] = true;
    CHECK(render(output) == "timed out and was killed; more timeout_seconds give it longer");
}

TEST_CASE("a command that the kernel killed is told with what may help it") {
    Json output = Json::parse(R"({"signal":"SIGKILL","timed_out":false,"stdout":{"text":""}})");
    CHECK(
        render(output).starts_with("ended by SIGKILL; when nobody sent that, its memory was full"));
    output["signal"] = "SIGTERM";
    CHECK(render(output) == "ended by SIGTERM");
}

TEST_CASE("a long text is cut between characters, and says so") {
    std::string euros = "x";
    for (std::size_t count = 0; count < mcp::text_bytes_max; ++count) euros += "€";
    const std::string text = render(Json(euros));
    CHECK(text.size() < mcp::text_bytes_max + 100);
    CHECK(text.find("more bytes") != std::string::npos);
    CHECK(Json::accept(to_text(Json(text))));
    CHECK(to_text(Json(text)).find("\xEF\xBF\xBD") == std::string::npos);
}

TEST_CASE("an error names its cause, its field, the next call and whether to retry") {
    CHECK(render(Error{.code = ErrorCode::not_found,
                       .message = "there is no container 'web1'",
                       .field = "/container",
                       .hint = "call container_list"}) ==
          "not_found: there is no container 'web1'\nat: /container\nnext: call container_list\n"
          "Trying the same call again will not help.");
    CHECK(render(make_error(ErrorCode::busy, "x")) == "busy: x\nThe same call can succeed later.");
    CHECK(render(make_error(ErrorCode::unavailable, "x")) ==
          "unavailable: x\nTrying the same call again can help.");
}
