// SPDX-License-Identifier: Apache-2.0
// For cases that need root: they say so where it is missing, instead of passing in silence.
#pragma once

#include "tests/support/catch.h"

#include <unistd.h>

namespace berth {

[[nodiscard]] inline bool privileged() {
    if (::geteuid() != 0) WARN("not run: needs root");
    return ::geteuid() == 0;
}

}  // namespace berth
