// SPDX-License-Identifier: Apache-2.0
// The command line of berth-sentinel.
#pragma once

#include "base/socket_address.h"
#include "sentinel/page/page_server.h"
#include "sentinel/registry/token_policy.h"
#include "sentinel/relay/relay_options.h"
#include "sentinel/route/routes_file.h"
#include "sentinel/tunnel/tunnel_door.h"
#include "sentinel/tunnel/tunnel_greeter.h"

#include <chrono>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace berth::sentinel {

struct CertificateRule {
    std::filesystem::path file;  // PEM
    std::vector<std::string> pools;
};

struct SentinelOptions {
    std::vector<SocketAddress> listen;
    std::filesystem::path routes;     // "": no static routes
    std::filesystem::path state_dir;  // "": no control plane
    std::optional<SocketAddress> control;
    std::filesystem::path control_certificate, control_key;
    std::filesystem::path admin_socket;  // "": in the state directory
    std::string admin_group;
    std::filesystem::path tunnel_certificate, tunnel_key;  // "": no tunnels
    std::filesystem::path tunnel_client_ca;                // "": no authority
    GreeterLimits tunnel_hellos;
    std::size_t tunnels_per_pool_max = TunnelDoorOptions{}.sessions_per_pool_max;
    std::vector<TokenRule> tokens;
    std::vector<std::filesystem::path> token_files;
    std::vector<CertificateRule> certificates;
    bool secrets_in_arguments = false;
    bool compat_containarium = false;
    std::chrono::milliseconds health_interval{5'000};
    std::chrono::milliseconds drain_timeout{30'000};
    PoolSettings pools;
    std::size_t connections_per_destination_max = 0;  // 0: as descriptors allow
    RelayOptions relay;
    PageServer::Directories pages;
    std::filesystem::path access_log;  // "-": standard output; "": none
    std::size_t threads = 1;
    std::string log_level = "info";
};

/// What is secret in the arguments is blanked there, so that ps(1) does not show it for long.
/// The exit code, when that is all: a mistake, --help or --version.
[[nodiscard]] std::expected<SentinelOptions, int> read_sentinel_options(int argc, char** argv);

}  // namespace berth::sentinel
