// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/rpc_lines.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <vector>

using namespace berth;

TEST_CASE("lines are found however the bytes arrive") {
    const std::string text = "one\n\n\ntwo words\nthree";
    const auto step = GENERATE(std::size_t{1}, 2, 3, 7, 100);
    LineSplitter splitter(9);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += step) {
        REQUIRE(splitter.feed(std::string_view(text).substr(at, step), [&](std::string_view line) {
            lines.emplace_back(line);
            return true;
        }));
    }
    CHECK(lines == std::vector<std::string>{"one", "two words"});
    CHECK(splitter.rest() == "three");
}

TEST_CASE("a line that is too long ends it, and so does whoever has enough") {
    const auto all = [](std::string_view) { return true; };
    LineSplitter whole(4), parts(4), enough(4);
    CHECK_FALSE(whole.feed("12345\n", all));
    CHECK(parts.feed("1234", all));
    CHECK_FALSE(parts.feed("5", all));
    int lines = 0;
    CHECK_FALSE(enough.feed("1\n2\n3\n", [&](std::string_view) { return ++lines < 2; }));
    CHECK(lines == 2);
}

TEST_CASE("progress that was written is read, for its own request") {
    const Progress said{.done = 0.5, .total = 2, .message = "\xff half"};
    const std::string line = progress_line(jsonrpc::Id("a"), said);
    CHECK_FALSE(line.contains('\n'));
    const auto heard = read_progress(line, jsonrpc::Id("a"));
    REQUIRE(heard);
    CHECK(heard->done == 0.5);
    CHECK(heard->total == 2);
    CHECK(heard->message.ends_with(" half"));
    CHECK_FALSE(read_progress(line, jsonrpc::Id("b")));
    CHECK_FALSE(read_progress(line, jsonrpc::Id(std::int64_t{1})));
}

TEST_CASE("what is no progress is not taken for it") {
    const auto line =
        GENERATE(as<std::string>(), "", "nonsense", "7", R"({"jsonrpc":"2.0","id":1,"result":{}})",
                 R"({"jsonrpc":"2.0","method":"other","params":{"id":1,"done":1}})",
                 R"({"jsonrpc":"2.0","method":"progress"})",
                 R"({"jsonrpc":"2.0","method":"progress","params":[1]})",
                 R"({"jsonrpc":"2.0","method":"progress","params":{"id":1}})",
                 R"({"jsonrpc":"2.0","method":"progress","params":{"id":1,"done":"1"}})",
                 R"({"jsonrpc":"2.0","method":"progress","id":1,"params":{"id":1,"done":1}})");
    CHECK_FALSE(read_progress(line, jsonrpc::Id(std::int64_t{1})));
}
