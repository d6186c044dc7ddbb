// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/lxc_version.h"

#include "tests/support/catch.h"

using berth::engine::trouble_with_lxc;

TEST_CASE("a liblxc older than what berth is tested with is troublesome, with the reason",
          "[engine]") {
    for (const auto* version : {"4.0.8", "4.0.12", "5.0.1", "5.0", "5.0.1-devel", "3.1.0"}) {
        CAPTURE(version);
        REQUIRE(trouble_with_lxc(version));
        CHECK(trouble_with_lxc(version)->contains("5.0.2"));
    }
}

TEST_CASE("that version and newer ones are fine", "[engine]") {
    for (const auto* version : {"5.0.2", "5.0.3", "5.0.10", "6.0.0-devel", "6.0.4", "10.0"}) {
        CAPTURE(version);
        CHECK_FALSE(trouble_with_lxc(version));
    }
}

TEST_CASE("a version that cannot be read is troublesome", "[engine]") {
    for (const auto* version : {"", "devel", "5..2", ".5", "-1.0.0", "5.", "99999999999.0.0"}) {
        CAPTURE(version);
        CHECK(trouble_with_lxc(version));
    }
}
