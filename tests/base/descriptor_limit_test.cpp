// SPDX-License-Identifier: Apache-2.0
#include "base/descriptor_limit.h"

#include "tests/support/catch.h"

#include <sys/resource.h>

using namespace berth;

TEST_CASE("a process takes as many descriptors as it may have", "[base]") {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit few{.rlim_cur = 64, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK(raise_descriptor_limit() == before.rlim_max);
    rlimit after{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
    CHECK(after.rlim_cur == before.rlim_max);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}
