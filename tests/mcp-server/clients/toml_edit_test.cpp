// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/toml_edit.h"

#include "tests/support/catch.h"

using namespace berth;
using namespace berth::clients;

namespace {

const Json entry{{"command", "/a \"b\"\\c"}, {"args", {"--stdio", "ü"}}};

std::string added(const std::string& text) {
    return add_to_toml(text, "mcp_servers", "berth", entry).value();
}

Result<std::string> removed(const std::string& text) {
    return remove_from_toml(text, "mcp_servers", "berth");
}

}  // namespace

TEST_CASE("a table is added at the end, and its strings are TOML", "[toml_edit]") {
    CHECK(added("a = 1\n") ==
          "a = 1\n\n[mcp_servers.berth]\ncommand = \"/a \\\"b\\\"\\\\c\"\n"
          "args = [\"--stdio\",\"ü\"]\n");
    const auto value = read_toml(added(""));
    REQUIRE(value);
    CHECK((*value)["mcp_servers"]["berth"]["command"] == "/a \"b\"\\c");
}

TEST_CASE("a table is replaced", "[toml_edit]") {
    CHECK(added("[mcp_servers.berth]\ncommand = \"old\"\n\n[b]\nc = 1\n") ==
          "\n[b]\nc = 1\n" + added("").insert(0, "\n"));
}

TEST_CASE("a table goes with the tables in it, and leaves what belongs to the next",
          "[toml_edit]") {
    CHECK(removed(
              "a = 1\n\n[mcp_servers.berth]\ncommand = \"x\"\n[mcp_servers.berth.env]\nK = \"v\"\n"
              "\n# about b\n[b]\nc = 1\n") == "a = 1\n\n# about b\n[b]\nc = 1\n");
    CHECK(removed("[ mcp_servers . \"berth\" ] # mine\nargs = [\n  \"a\",\n]\n") == "");
    CHECK(removed("[mcp_servers.berth2]\nx = 1\n[mcp_servers.berth]\ny = 1\n") ==
          "[mcp_servers.berth2]\nx = 1\n");
}

TEST_CASE("what is no table of its own is left to a person", "[toml_edit]") {
    const auto* const text = GENERATE(
        "mcp_servers = { berth = { command = \"x\" } }\n",
        "[mcp_servers]\nberth = { command = \"x\" }\n", "mcp_servers.berth.command = \"x\"\n",
        "[mcp_servers.berth]\nargs = [\n[\"a\"],\n[\"b\"],\n]\nz = 1\n");
    CAPTURE(text);
    const auto gone = removed(text);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("a file that says something else under the same name is refused", "[toml_edit]") {
    const auto* const text = GENERATE("mcp_servers = 3\n", "mcp_servers = { a = 1 }\n",
                                      "[[mcp_servers]]\na = 1\n", "a = \n", "\xff = 1\n");
    CAPTURE(text);
    CHECK_FALSE(add_to_toml(text, "mcp_servers", "berth", entry));
}

TEST_CASE("what is not there cannot be removed from TOML", "[toml_edit]") {
    const auto* const text = GENERATE("", "a = 1\n", "[mcp_servers.x]\n");
    const auto gone = removed(text);
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == ErrorCode::not_found);
}

TEST_CASE("dates and fractions survive the proof", "[toml_edit]") {
    CHECK(added("a = 1979-05-27T07:32:00Z\nb = 1.5\nc = nan\nd = 07:32:00\n").contains("c = nan"));
}
