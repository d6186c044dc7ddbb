// SPDX-License-Identifier: Apache-2.0
#include "sentinel/app/sentinel_options.h"

#include <CLI/CLI.hpp>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::size_t threads_max = 256;
constexpr double seconds_max = 3600;

/// One loop for each core that this process may use.
std::size_t cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return std::clamp<std::size_t>(static_cast<std::size_t>(CPU_COUNT(&set)), 1, threads_max);
}

template <class T>
void add_parsed(CLI::App& app, const std::string& flag, std::vector<T>& into,
                const std::string& help, const std::string& shown) {
    app.add_option_function<std::vector<std::string>>(
           flag,
           [&into](const std::vector<std::string>& texts) {
               for (const auto& text : texts) {
                   auto value = T::parse(text);
                   if (!value) {
                       throw CLI::ValidationError(value.error().message, value.error().hint);
                   }
                   into.push_back(*std::move(value));
               }
           },
           help)
        ->type_name(shown)
        ->allow_extra_args(false);
}

void add_seconds(CLI::App& app, const std::string& flag, std::chrono::milliseconds& into,
                 const std::string& help) {
    app.add_option_function<double>(
           flag,
           [&into](double seconds) {
               into = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
           },
           help)
        ->check(CLI::Range(0.001, seconds_max))
        ->default_str(std::to_string(into.count() / 1000))
        ->type_name("SECONDS");
}

}  // namespace

std::expected<SentinelOptions, int> read_sentinel_options(int argc, char** argv) {
    SentinelOptions options;
    options.threads = cores();
    RelayOptions& relay = options.relay;
    std::vector<std::string> proxied_pools;
    CLI::App app("Routes TLS connections to pools by the server name they ask for.");
    app.set_version_flag("--version", "berth-sentinel " BERTH_VERSION);
    add_parsed(app, "--listen", options.listen,
               "Where clients connect; may be given several times (not with systemd sockets)",
               "ADDRESS:PORT");
    app.add_option("--routes", options.routes,
                   "Lines of HOSTNAME ADDRESS:PORT [POOL]; read again when it changes")
        ->required()
        ->type_name("FILE");
    app.add_option("--default-pool", options.pools.default_pool,
                   "Where clients go that ask for no name, or for one without a route")
        ->type_name("POOL");
    app.add_option("--proxy-protocol", proxied_pools,
                   "A pool that is told who connects, by PROXY protocol 2; * for all")
        ->type_name("POOL")
        ->allow_extra_args(false);
    add_parsed(app, "--proxy-from", relay.proxies,
               "A network of proxies in front, which must send PROXY protocol 2", "NETWORK");
    app.add_option_function<std::vector<std::string>>(
           "--maintenance",
           [&pages = options.pages](const std::vector<std::string>& texts) {
               for (const auto& text : texts) {
                   const auto equals = text.find('=');
                   if (equals == 0 || equals == std::string::npos ||
                       !pages.emplace(text.substr(0, equals), text.substr(equals + 1)).second) {
                       throw CLI::ValidationError("--maintenance", "not POOL=DIRECTORY, or twice");
                   }
               }
           },
           "What is said for a pool that does not answer: certificate.pem, key.pem and page.html")
        ->type_name("POOL=DIRECTORY")
        ->allow_extra_args(false);
    app.add_option("--threads", options.threads, "Loops; one for each core unless given")
        ->check(CLI::Range(std::size_t{1}, threads_max));
    add_seconds(app, "--hello-timeout", relay.hello_timeout, "For a whole ClientHello");
    add_seconds(app, "--connect-timeout", relay.connect_timeout, "For a pool to answer");
    add_seconds(app, "--half-closed-timeout", relay.half_closed_timeout,
                "How long one direction may stand still when the other has ended");
    app.add_option("--hellos-max", relay.hellos_max, "Clients without a whole hello, in all")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--hellos-per-source-max", relay.hellos_per_source_max,
                   "The same from one IPv4 /24 or IPv6 /56")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--log-level", options.log_level)
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return std::unexpected(app.exit(problem) == 0 ? 0 : 2);
    }
    options.pools.proxy_protocol.insert(proxied_pools.begin(), proxied_pools.end());
    return options;
}

}  // namespace berth::sentinel
