// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/text.h"

#include "tests/support/catch.h"
#include "tools-schema/contract/json.h"

using namespace berth;
using namespace berth::cli;

TEST_CASE("what would steer a terminal is shown instead", "[text]") {
    CHECK(harmless("a\x1b[2Jb") == "a^[[2Jb");
    CHECK(harmless(std::string_view("\0\x07\r\n\x7f", 5)) == "^@^G^M^J^?");
    CHECK(harmless("a\tb\nc\r", "\n\t") == "a\tb\nc^M");
    CHECK(harmless("\xc2\x9b"
                   "31m") == "<U+009B>31m");  // CSI as one character
    CHECK(harmless("\xe2\x80\xae"
                   "gpj") == "<U+202E>gpj");  // turns the direction
    CHECK(harmless("\xe2\x80\xa8x\xe2\x81\xa6") == "<U+2028>x<U+2066>");
}

TEST_CASE("text that is text stays as it is", "[text]") {
    CHECK(harmless("Grüße, 世界 🚢") == "Grüße, 世界 🚢");
    CHECK(harmless("").empty());
}

TEST_CASE("what is no UTF-8 becomes replacement characters", "[text]") {
    CHECK(harmless("a\xff"
                   "b") ==
          "a\xef\xbf\xbd"
          "b");
    CHECK(harmless("\xc0\xaf") == "\xef\xbf\xbd\xef\xbf\xbd");          // overlong
    CHECK(harmless("\xed\xa0\x80").find("\xed") == std::string::npos);  // surrogate
    CHECK(harmless("x\xe2\x82") == "x\xef\xbf\xbd\xef\xbf\xbd");        // cut off
}

TEST_CASE("the width is that of columns, not of bytes", "[text]") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("Grüße") == 5);
    CHECK(display_width("世界") == 4);
    CHECK(display_width("e\xcc\x81") == 1);
}

TEST_CASE("text is cut between characters, and says so", "[text]") {
    CHECK(shortened("abcdef", 6) == "abcdef");
    CHECK(shortened("abcdef", 5) == "abcd…");
    CHECK(shortened("世界世界", 5) == "世界…");
    CHECK(shortened("世界世界", 4) == "世…");
    CHECK(shortened("abc", 1) == "…");
    CHECK(shortened("abc", 0).empty());
}

TEST_CASE("JSON for a terminal has the same value and steers nothing", "[text]") {
    const Json value{{"name", "a\x7f\xc2\x9b\xe2\x80\xae\x1bü"}};
    const auto text = harmless_json(to_text(value));
    CHECK(text == R"({"name":"a\u007f\u009b\u202e\u001bü"})");
    CHECK(Json::parse(text) == value);
}
