// SPDX-License-Identifier: Apache-2.0
#include "base/rollback.h"

#include "tests/support/catch.h"

#include <string>

using berth::Rollback;

TEST_CASE("what was done is undone newest first, unless it is kept", "[base]") {
    std::string undone;
    {
        Rollback undo;
        undo.on_failure([&undone]() noexcept { undone += "first"; });
        undo.on_failure([&undone]() noexcept { undone += "second "; });
    }
    CHECK(undone == "second first");
    {
        Rollback undo;
        undo.on_failure([&undone]() noexcept { undone += "never"; });
        undo.keep();
    }
    CHECK(undone == "second first");
}
