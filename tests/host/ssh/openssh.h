// SPDX-License-Identifier: Apache-2.0
// The real OpenSSH client's programs; where they are missing, the test program is skipped.
#pragma once

#include "base/subprocess.h"
#include "tests/support/catch.h"

#include <cstdio>
#include <cstdlib>

namespace berth {

/// What the program prints; its failure fails the test.
inline std::string openssh(std::vector<std::string> argv, std::string input = "") {
    constexpr int skipped = 77;  // SKIP_RETURN_CODE
    const auto ran = run_checked({.argv = std::move(argv), .input = std::move(input)});
    if (!ran && ran.error().code == ErrorCode::not_found) {
        (void)std::fprintf(stderr, "skipped: %s\n", ran.error().message.c_str());
        std::exit(skipped);
    }
    INFO((ran ? std::string() : ran.error().message));
    REQUIRE(ran);
    return *ran;
}

}  // namespace berth
