// SPDX-License-Identifier: Apache-2.0
// Runs tests/transcripts/*.txt against the protocol without I/O; transcripts.py runs the same files
// over stdio and HTTP.
#include "base/files.h"
#include "fixture_tools.h"
#include "mcp-server/protocol/dispatcher.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

using namespace berth;

namespace {

/// Whether all that is expected is there: null stands for "absent", "*" for any text.
bool matches(const Json& expected, const Json& actual) {
    if (expected == "*") return actual.is_string();
    if (expected.is_object()) {
        return actual.is_object() && std::ranges::all_of(expected.items(), [&](const auto& item) {
                   if (item.value().is_null()) return !actual.contains(item.key());
                   return actual.contains(item.key()) && matches(item.value(), actual[item.key()]);
               });
    }
    if (expected.is_array()) {
        return actual.is_array() && std::ranges::equal(expected, actual, matches);
    }
    return expected == actual;
}

}  // namespace

TEST_CASE("the conversations in tests/transcripts go as written") {
    std::size_t conversations = 0;
    for (const auto& entry : std::filesystem::directory_iterator(BERTH_TRANSCRIPTS)) {
        if (entry.path().extension() != ".txt") continue;
        CAPTURE(entry.path().filename().string());
        ++conversations;
        mcp::FixtureTools tools;
        const mcp::Dispatcher dispatcher({.name = "berth-mcp-fixtures",
                                          .title = "",
                                          .version = "1",
                                          .instructions = "For tests."},
                                         tools);
        const auto text = read_file(entry.path());
        REQUIRE(text);
        std::istringstream lines(*text);
        mcp::RequestContext context;
        std::string waiting;
        for (std::string line; std::getline(lines, line);) {
            CAPTURE(line);
            if (line.starts_with("> ")) {
                CHECK(waiting.empty());
                auto outcome = dispatcher.answer(line.substr(2), context);
                waiting = std::move(outcome.text);
                if (!outcome.agreed_version.empty())
                    context.session_version = outcome.agreed_version;
            } else if (line.starts_with("< ")) {
                REQUIRE_FALSE(waiting.empty());
                CAPTURE(waiting);
                CHECK(matches(Json::parse(line.substr(2)), Json::parse(waiting)));
                waiting.clear();
            }
        }
        CHECK(waiting.empty());
    }
    CHECK(conversations > 5);
}
