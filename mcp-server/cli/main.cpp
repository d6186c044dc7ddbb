// SPDX-License-Identifier: Apache-2.0
// berth: joins the command line to berthd's socket and to the terminal.
#include "mcp-server/cli/cli.h"
#include "mcp-server/cli/interrupt.h"
#include "mcp-server/jsonrpc/rpc_client.h"

#include <unistd.h>

#include <iostream>

int main(int argc, char** argv) {
    using namespace berth::cli;
    return run_cli({argv + 1, argv + argc}, {.connect = berth::connect_rpc,
                                             .in = std::cin,
                                             .out = std::cout,
                                             .err = std::cerr,
                                             .out_device = device_of(STDOUT_FILENO),
                                             .err_device = device_of(STDERR_FILENO),
                                             .on_interrupt = stop_on_interrupt});
}
