// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/tokens.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth;

TEST_CASE("tokens are counted on the high side", "[tokens]") {
    CHECK(approximate_tokens("") == 0);
    CHECK(approximate_tokens("name") == 1);
    CHECK(approximate_tokens("the container") == 4);  // two for a real tokenizer
    CHECK(approximate_tokens("2147483648") == 4);
    CHECK(approximate_tokens(R"({"a":1})") == 5);
    CHECK(approximate_tokens("\xc3\xa4") == 2);
    CHECK(approximate_tokens(std::string(100, ' ')) == 99);
    CHECK(approximate_tokens(std::string(1000, 'x')) >= 250);  // never below a quarter of the bytes
}
