// SPDX-License-Identifier: Apache-2.0
// berth: joins the command line to berthd's socket and to the terminal.
#include "mcp-server/cli/cli.h"
#include "mcp-server/cli/interrupt.h"
#include "mcp-server/jsonrpc/rpc_client.h"
#include "mcp-server/jsonrpc/sentinel_switch.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
    using namespace berth::cli;
    const auto connect = [](const std::string& socket) {
        const char* const sentinel = std::getenv("BERTH_SENTINEL_SOCKET");  // NOLINT: one thread
        return berth::with_sentinel(
            berth::connect_rpc(socket),
            sentinel != nullptr ? sentinel : berth::sentinel_socket_default);
    };
    return run_cli({argv + 1, argv + argc}, {.connect = connect,
                                             .in = std::cin,
                                             .out = std::cout,
                                             .err = std::cerr,
                                             .out_device = device_of(STDOUT_FILENO),
                                             .err_device = device_of(STDERR_FILENO),
                                             .on_interrupt = stop_on_interrupt});
}
