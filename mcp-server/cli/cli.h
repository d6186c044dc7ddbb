// SPDX-License-Identifier: Apache-2.0
// The command line from words to exit code, with everything it touches handed in.
#pragma once

#include "tools-schema/registry/invoker.h"

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace berth::cli {

struct World {
    /// Reaches berthd at that socket.
    std::function<std::unique_ptr<Invoker>(const std::string& socket)> connect;
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
};

/// Runs one command line (without the program's name) and returns its exit code: 0, the code that
/// errors.json gives, or that of the command which `container exec` ran.
[[nodiscard]] int run_cli(std::vector<std::string> words, const World& world);

}  // namespace berth::cli
