// SPDX-License-Identifier: Apache-2.0
// berth-mcp: serves the catalogue over MCP, on stdio or on HTTP, and carries every call to berthd.
#include "base/files.h"
#include "base/http_server.h"
#include "base/log.h"
#include "mcp-server/app/server_process.h"
#include "mcp-server/config/mcp_config.h"
#include "mcp-server/jsonrpc/rpc_client.h"
#include "mcp-server/offer/catalogue_tools.h"
#include "tools-schema/contract/error_table.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>

namespace {

using namespace berth;

constexpr const char* instructions =
    "berth gives you Linux machines (system containers) on this host. Order of use: system_info "
    "shows the host and its images; container_create makes a machine and waits until it is ready; "
    "container_exec runs commands in it; port_add makes one of its ports reachable; ssh_config "
    "tells "
    "how to log in. container_delete removes a machine and its data. An error names the next call.";

struct Options {
    McpFlags flags;
    bool stdio = false;
};

void add_options(CLI::App& app, Options& options) {
    app.set_version_flag("--version", "berth-mcp " BERTH_VERSION);
    app.add_flag("--stdio", options.stdio, "Serve standard input and output instead of HTTP");
    app.add_option("--config", options.flags.config,
                   fmt::format("The configuration file (default: {})", mcp_config_path));
    app.add_option("--listen", options.flags.listen, "address:port (default: 127.0.0.1:7420)");
    app.add_option("--socket", options.flags.socket,
                   "berthd's socket (default: /run/berth/berthd.sock)");
    app.add_option("--log-level", options.flags.log_level,
                   "debug, info, warning or error (default: info)");
    app.add_option("--allowed-hosts", options.flags.allowed_hosts,
                   "Host names to answer besides localhost");
    app.add_option("--allowed-origins", options.flags.allowed_origins,
                   "Origins of web pages that may call");
}

Result<> serve(const Options& options) {
    const auto config = BERTH_TRY(load_mcp_config(options.flags));
    log::start("berth-mcp", config.log_level);
    const auto berthd = connect_rpc(config.socket);
    const SystemClock clock;
    const policy::Policy policy;
    policy::ConfirmTokens tokens(auth::SealKey::random(), clock);
    mcp::Gate gate(*berthd, policy, tokens, clock);
    mcp::CatalogueTools tools(*berthd, gate);
    mcp::Hub hub;
    const auth::Seals seals(auth::SealKey::random(), clock);
    const mcp::Dispatcher dispatcher({.identity = {.name = "berth",
                                                   .title = "berth",
                                                   .version = BERTH_VERSION,
                                                   .instructions = instructions},
                                      .tools = tools},
                                     hub, seals);
    if (options.stdio) return mcp::run_on_stdio(dispatcher);
    return mcp::run_on_http(dispatcher,
                            {.endpoint = config.listen,
                             .seals = seals,
                             .transport = {.access = {.allowed_hosts = config.allowed_hosts,
                                                      .allowed_origins = config.allowed_origins}}});
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Serves berth's tools over MCP, on HTTP unless --stdio is given.");
    Options options;
    add_options(app, options);
    CLI11_PARSE(app, argc, argv);
    const auto served = serve(options);
    if (served) return EXIT_SUCCESS;
    const Error& error = served.error();
    fmt::print(stderr, "berth-mcp: {}\n{}", error.message,
               error.hint.empty() ? "" : error.hint + "\n");
    return error_info(error.code).exit;
}
