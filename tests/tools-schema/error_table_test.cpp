// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/contract/error_table.h"

#include "tests/support/catch.h"

#include <set>

using namespace berth;

TEST_CASE("every code has a name that leads back to it", "[errors]") {
    for (const auto& info : error_table()) {
        CAPTURE(info.name);
        CHECK(error_code(info.name) == info.code);
        CHECK(&error_info(info.code) == &info);
        CHECK_FALSE(info.meaning.empty());
    }
    CHECK_FALSE(error_code("no_such_code").has_value());
    CHECK(error_table().size() == 11);
}

TEST_CASE("a program can tell errors apart by exit code", "[errors]") {
    std::set<int> exits{0, 1};
    for (const auto& info : error_table()) CHECK(exits.insert(info.exit).second);
    CHECK(error_info(ErrorCode::invalid_argument).exit == 2);
    CHECK(error_info(ErrorCode::internal).exit == 70);
    CHECK(error_info(ErrorCode::needs_confirmation).exit == 11);
    CHECK(error_info(ErrorCode::not_found).http == 404);
    CHECK(error_info(ErrorCode::invalid_argument).jsonrpc == -32602);
}
