// SPDX-License-Identifier: Apache-2.0
#include "base/descriptor_limit.h"

#include "base/subprocess.h"
#include "tests/support/catch.h"

#include <sys/resource.h>

#include <string>

using namespace berth;

namespace {

std::string text_of(rlim_t limit) {
    return limit == RLIM_INFINITY ? "unlimited" : std::to_string(limit);
}

}  // namespace

TEST_CASE("a process takes as many descriptors as it may have, and its children do not", "[base]") {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit few{.rlim_cur = 64, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK(raise_descriptor_limit() == before.rlim_max);
    rlimit after{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
    CHECK(after.rlim_cur == before.rlim_max);
    // Asked a little later, since the limit is given to a child that runs already.
    const auto told =
        run_subprocess({.argv = {"sh", "-c", "sleep 0.2; ulimit -Sn; ulimit -Hn"}}).value();
    CHECK(told.output == std::to_string(few.rlim_cur) + "\n" + text_of(few.rlim_max) + "\n");
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}
