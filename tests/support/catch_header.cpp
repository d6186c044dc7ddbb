// SPDX-License-Identifier: Apache-2.0
// Test programs reuse the precompiled header of this file: the runner's own would not do.
#include "tests/support/catch.h"
