// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/undo.h"

#include "tests/support/catch.h"

using namespace berth::clients;

TEST_CASE("an edit is the place where two texts differ", "[undo]") {
    const auto edit = edit_between("one two three", "one 2 three");
    CHECK(edit.removed == "two");
    CHECK(edit.inserted == "2");
    CHECK(edit_between("same", "same").inserted.empty());
    CHECK(edit_between("", "all").inserted == "all");
    CHECK(edit_between("aa", "aaa").inserted == "a");
}

TEST_CASE("an edit never cuts a character", "[undo]") {
    const auto edit = edit_between("xüx", "xöx");  // the same first byte, another second
    CHECK(edit.removed == "ü");
    CHECK(edit.inserted == "ö");
    const auto tail = edit_between("a\xc3\xbc", "a\xc4\xbc");  // the same last byte
    CHECK(tail.removed == "\xc3\xbc");
    CHECK(tail.inserted == "\xc4\xbc");
}

TEST_CASE("an edit is taken back, also when there is a change elsewhere", "[undo]") {
    const auto edit = edit_between("[a]", "[a, berth]");
    CHECK(undone(edit, "[a, berth]") == "[a]");
    CHECK(undone(edit, "[c, a, berth] # new") == "[c, a] # new");
    CHECK_FALSE(undone(edit, "[a, b]"));
    CHECK_FALSE(undone(edit, "[a, berth, berth]"));
    CHECK_FALSE(undone({}, "anything"));
}

TEST_CASE("a change is shown as a unified diff", "[undo]") {
    CHECK(unified_diff("f", "1\n2\n3\n4\n5\n", "f", "1\n2\n3\n4\nx\n5\n") ==
          "--- f\n+++ f\n@@ -2,4 +2,5 @@\n 2\n 3\n 4\n+x\n 5\n");
    CHECK(unified_diff("/dev/null", "", "f", "a\n") ==
          "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    CHECK(unified_diff("f", "a", "f", "b") ==
          "--- f\n+++ f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n"
          "+b\n\\ No newline at end of file\n");
    CHECK(unified_diff("f", "a\n", "f", "a\n").empty());
}
