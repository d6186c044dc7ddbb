// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/render.h"

#include "tests/support/catch.h"

using namespace berth;
using namespace berth::cli;

namespace {

std::string rendered(const char* json) {
    return render(Json::parse(json));
}

}  // namespace

TEST_CASE("a list of objects is a table", "[render]") {
    CHECK(rendered(R"({"containers": [{"name": "ada", "state": "running", "ssh_port": 2201},
                                      {"name": "bobs-other", "state": "stopped", "ssh_port": 2}],
                       "total": 2})") ==
          "NAME        STATE    SSH PORT\n"
          "ada         running  2201\n"
          "bobs-other  stopped  2\n");
    CHECK(rendered(R"({"containers": [], "total": 0})") == "none\n");
}

TEST_CASE("a part of a list says how many there are", "[render]") {
    CHECK(rendered(R"({"ports": [{"host_port": 80}], "total": 7})") ==
          "total  7\n\nports:\nHOST PORT\n80\n");
    CHECK(rendered(R"({"ports": [], "total": 7})") == "ports  -\ntotal  7\n");
}

TEST_CASE("a column is there when any row has it", "[render]") {
    CHECK(rendered(R"({"gpus": [{"a": "x"}, {"a": "y", "driver": null, "nodes": ["p", "q"]}]})") ==
          "A  DRIVER  NODES\nx  -       -\ny  -       p, q\n");
}

TEST_CASE("an object is keys and values", "[render]") {
    CHECK(
        rendered(R"({"name": "ada", "limits": {"processes": 64}, "start": true, "keys": [],
                       "ports": [{"host_port": 80}]})") ==
        "name              ada\nlimits.processes  64\nstart             yes\nkeys              -\n"
        "\nports:\nHOST PORT\n80\n");
}

TEST_CASE("text of several lines stays as it is", "[render]") {
    CHECK(rendered(R"({"config": "Host a\n  Port 1\n", "containers": ["a", "b"]})") ==
          "containers  a, b\n\nconfig:\nHost a\n  Port 1\n");
}

TEST_CASE("nothing from outside steers the terminal", "[render]") {
    CHECK(rendered(R"({"name": "a\u001b[2Jb"})") == "name  a^[[2Jb\n");
    CHECK(rendered(R"({"l": [{"a\u001b": "x\u009b\n"}]})") == "A^[\nx<U+009B>^J\n");
    CHECK(render(make_error(ErrorCode::busy, "x\x1by\nz")) == "berth: x^[y\n    z\n");
}

TEST_CASE("without a terminal no byte of the text is an escape code", "[render]") {
    CHECK_FALSE(
        rendered(R"({"containers": [{"name": "ada", "state": "running"}]})").contains('\x1b'));
}

TEST_CASE("headings are bold and states coloured when colours are wanted", "[render]") {
    const Look look{.colour = true, .terminal = true, .columns = 80};
    const auto result = Json::parse(R"({"containers": [{"name": "ada", "state": "running"},
                                                       {"name": "b", "state": "stopped"}]})");
    CHECK(render(result, look) ==
          "\x1b[1mNAME\x1b[0m  \x1b[1mSTATE\x1b[0m\n"
          "ada   \x1b[32mrunning\x1b[0m\n"
          "b     \x1b[33mstopped\x1b[0m\n");
    CHECK(render(Json{{"state", "failed"}}, look) ==
          "\x1b[1mstate\x1b[0m  \x1b[31mfailed\x1b[0m\n");
    CHECK(render(make_error(ErrorCode::busy, "no"), look) == "\x1b[31mberth:\x1b[0m no\n");
}

TEST_CASE("a table that is too wide is cut on a terminal and nowhere else", "[render]") {
    const auto result = Json::parse(R"({"l": [
        {"name": "ada", "image": "sha256-0123456789abcdef0123456789", "note": "grüße an alle hier"},
        {"name": "b", "image": "x", "note": "y"}]})");
    CHECK(render(result, {.terminal = true, .columns = 30}) ==
          "NAME  IMAGE        NOTE\n"
          "ada   sha256-012…  grüße an a…\n"
          "b     x            y\n");
    CHECK(render(result) ==
          "NAME  IMAGE                              NOTE\n"
          "ada   sha256-0123456789abcdef0123456789  grüße an alle hier\n"
          "b     x                                  y\n");
    SECTION("and where not even that fits each row is lines") {
        CHECK(render(result, {.terminal = true, .columns = 15}) ==
              "NAME   ada\n"
              "IMAGE  sha256-0123456789abcdef0123456789\n"
              "NOTE   grüße an alle hier\n"
              "\n"
              "NAME   b\nIMAGE  x\nNOTE   y\n");
    }
}

TEST_CASE("an id is never cut, because somebody types it back", "[render]") {
    const auto result = Json::parse(
        R"({"l": [{"id": "wn_0123456789abcdef", "note": "something is wrong with it"}]})");
    CHECK(render(result, {.terminal = true, .columns = 32}) ==
          "ID                   NOTE\n"
          "wn_0123456789abcdef  something …\n");
    CHECK(render(result, {.terminal = true, .columns = 28}) ==
          "ID    wn_0123456789abcdef\nNOTE  something is wrong with it\n");
}

TEST_CASE("columns are aligned by what is seen, not by bytes", "[render]") {
    CHECK(rendered(R"({"l": [{"a": "世界", "b": 1}, {"a": "ü", "b": 2}]})") ==
          "A     B\n世界  1\nü     2\n");
}

TEST_CASE("every bad field has a line of its own", "[render]") {
    Error error = make_error(ErrorCode::invalid_argument, "two things").at("/a");
    error.problems = {{.field = "/a", .message = "bad"}, {.field = "/b/0", .message = "worse"}};
    CHECK(render(error) == "berth: two things\n  at: /a\n  at: /b/0\n");
}

TEST_CASE("the next step is told as a command", "[render]") {
    const auto told = [](const char* hint) {
        return render(make_error(ErrorCode::busy, "x").next(hint));
    };
    CHECK(told("call container_list") == "berth: x\n  next: berth container list\n");
    CHECK(told("see port_list, or port_add.") ==
          "berth: x\n  next: see berth port list, or berth port add.\n");
    CHECK(told("correct that and call container_create again") ==
          "berth: x\n  next: correct that and run berth container create again\n");
    CHECK(told("call the doctor_now") == "berth: x\n  next: call the doctor_now\n");
}

TEST_CASE("a next step that is a call is a command that a shell takes as it stands") {
    const auto told = [](const char* tool, const Json& arguments) {
        const auto text = render(make_error(ErrorCode::busy, "x").next("so").call(tool, arguments));
        return text.substr(text.find("so"));
    };
    CHECK(told("container_list", Json::object()) == "so; berth container list\n");
    CHECK(told("container_get", {{"name", "ada"}}) == "so; berth container get ada\n");
    CHECK(told("operation_list", {{"status", "working"}}) ==
          "so; berth operation list --status working\n");
    CHECK(told("port_add", {{"container", "ada"}, {"container_port", 80}, {"protocol", "udp"}}) ==
          "so; berth port add --protocol udp ada 80\n");
    CHECK(told("container_exec", {{"container", "ada"}, {"argv", {"mkdir", "-p", "it's $HOME"}}}) ==
          "so; berth container exec ada -- mkdir -p 'it'\\''s $HOME'\n");
    CHECK(told("container_update",
               {{"name", "ada"}, {"protected", false}, {"labels", {"a=1", "b="}}}) ==
          "so; berth container update --labels a=1 --labels b= ada\n");
    CHECK(told("doctor_now", {{"a", 1}}) == "so; call doctor_now {\"a\":1}\n");
}

TEST_CASE("what the daemon should never send is shown all the same", "[render]") {
    CHECK(rendered(R"({"l": [{"a": 1}, 7, null]})") == "A\n1\n-\n-\n");
    CHECK(rendered("[]") == "-\n");
    CHECK(rendered("null") == "-\n");
}
