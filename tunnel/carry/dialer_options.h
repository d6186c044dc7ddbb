// SPDX-License-Identifier: Apache-2.0
// What people write about a tunnel, on a command line or in a file, made into what a dialer takes.
#pragma once

#include "tunnel/carry/dialer.h"

#include <string>
#include <vector>

namespace berth::tunnel {

struct DialerWords {
    std::string sentinel = {};               // HOST or HOST:PORT
    std::vector<std::string> forwards = {};  // PORT=ADDRESS:PORT
};

/// Reads the words, checks all options together, and fills in what was left out: the id of the
/// host, the port of visitors, the generation. invalid_argument names the option ("/forward").
[[nodiscard]] Result<> complete(const DialerWords& words, DialerOptions& options);

}  // namespace berth::tunnel
