// SPDX-License-Identifier: Apache-2.0
#include "host/tools/journal.h"

#include "tests/support/catch.h"

using namespace berth::tools;
using Strings = std::vector<std::string>;

TEST_CASE("the newest lines come oldest first, and it is said when there are more", "[journal]") {
    CHECK(newest_lines("a\nb\nc\n", 3, 100, 10).lines == Strings{"a", "b", "c"});
    CHECK_FALSE(newest_lines("a\nb\nc\n", 3, 100, 10).truncated);
    CHECK(newest_lines("a\nb\nc\n", 2, 100, 10).lines == Strings{"b", "c"});
    CHECK(newest_lines("a\nb\nc\n", 2, 100, 10).truncated);
}

TEST_CASE("nothing is no line, and an empty line is one", "[journal]") {
    CHECK(newest_lines("", 3, 100, 10).lines.empty());
    CHECK_FALSE(newest_lines("", 3, 100, 10).truncated);
    CHECK(newest_lines("a\n\nb", 3, 100, 10).lines == Strings{"a", "", "b"});
    CHECK(newest_lines("\na\n", 3, 100, 10).lines == Strings{"", "a"});
}

TEST_CASE("a long line is cut between characters", "[journal]") {
    const auto cut = newest_lines("caf\xc3\xa9 au lait\nb\n", 5, 100, 4);
    CHECK(cut.lines == Strings{"caf", "b"});
    CHECK(cut.truncated);
    CHECK(newest_lines("caf\xc3\xa9\n", 5, 100, 5).lines == Strings{"caf\xc3\xa9"});
}

TEST_CASE("all lines together stay within their bound, and the newest are kept", "[journal]") {
    const auto bounded = newest_lines("aaaa\nbbbb\ncccc\n", 5, 10, 10);
    CHECK(bounded.lines == Strings{"bbbb", "cccc"});
    CHECK(bounded.truncated);
}
