// SPDX-License-Identifier: Apache-2.0
// The command line of berth-sentinel.
#pragma once

#include "base/socket_address.h"
#include "sentinel/page/page_server.h"
#include "sentinel/relay/relay_options.h"
#include "sentinel/route/routes_file.h"

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace berth::sentinel {

struct SentinelOptions {
    std::vector<SocketAddress> listen;
    std::filesystem::path routes;
    PoolSettings pools;
    RelayOptions relay;
    PageServer::Directories pages;
    std::size_t threads = 1;
    std::string log_level = "info";
};

/// The exit code, when that is all: a mistake, --help or --version.
[[nodiscard]] std::expected<SentinelOptions, int> read_sentinel_options(int argc, char** argv);

}  // namespace berth::sentinel
