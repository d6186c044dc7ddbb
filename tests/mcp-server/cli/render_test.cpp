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
          "A  DRIVER  NODES\nx  -       -\ny  null    p, q\n");
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
    CHECK(rendered(R"({"name": "a\u001b[2Jb"})") == "name  a?[2Jb\n");
    CHECK(render(make_error(ErrorCode::busy, "x\x1by\nz")) == "berth: x?y?z\n");
}
