// SPDX-License-Identifier: Apache-2.0
// The command line from words to exit code, with everything it touches handed in.
#pragma once

#include "mcp-server/cli/terminal.h"
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
    Device out_device = {};
    Device err_device = {};
    /// From now on ^C asks this source to stop, until what is returned goes away. Empty: it kills.
    std::function<std::shared_ptr<void>(std::stop_source)> on_interrupt = {};
};

/// Runs one command line (without the program's name) and returns its exit code: 0, the code that
/// errors.json gives, that of the command which `container exec` ran, or 130 after ^C.
[[nodiscard]] int run_cli(std::vector<std::string> words, const World& world);

}  // namespace berth::cli
