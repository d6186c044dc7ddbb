// SPDX-License-Identifier: Apache-2.0
// berth: joins the command line to berthd's socket.
#include "mcp-server/cli/cli.h"
#include "mcp-server/jsonrpc/rpc_client.h"

#include <iostream>

int main(int argc, char** argv) {
    return berth::cli::run_cli(
        {argv + 1, argv + argc},
        {.connect = berth::connect_rpc, .in = std::cin, .out = std::cout, .err = std::cerr});
}
