// SPDX-License-Identifier: Apache-2.0
#include "sentinel/app/sentinel_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::size_t threads_max = 256;
constexpr double seconds_min = 0.001, seconds_max = 3600;
/// Less than a few beats a second is not told from a network that stutters.
constexpr double registration_ttl_min = 1;

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
                 const std::string& help, double least = seconds_min) {
    app.add_option_function<double>(
           flag,
           [&into](double seconds) {
               into = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
           },
           help)
        ->check(CLI::Range(least, seconds_max))
        ->default_str(std::to_string(into.count() / 1000))
        ->type_name("SECONDS");
}

void add_count(CLI::App& app, const std::string& flag, std::size_t& into, const std::string& help) {
    app.add_option(flag, into, help)->check(CLI::Range(1, 1'000'000))->capture_default_str();
}

/// The part in front of '=' and the names behind it.
CertificateRule certificate_rule(const std::string& text) {
    const auto equals = text.rfind('=');
    // The rules for pools are a token's; what stands for the token is not used.
    const auto rule = equals == std::string::npos
                          ? fail(ErrorCode::invalid_argument, "not FILE=pool1,pool2")
                          : TokenRule::parse("certificate" + text.substr(equals));
    if (!rule) throw CLI::ValidationError("--tunnel-certificate-policy", rule.error().message);
    return {.file = text.substr(0, equals), .pools = rule->pools};
}

void add_token_options(CLI::App& app, SentinelOptions& options) {
    app.add_option_function<std::vector<std::string>>(
           "--tunnel-token-policy",
           [&options](const std::vector<std::string>& texts) {
               for (const auto& text : texts) {
                   const auto rule = TokenRule::parse(text);
                   if (!rule) {
                       throw CLI::ValidationError("--tunnel-token-policy", rule.error().message);
                   }
                   options.tokens.push_back(*rule);
                   options.secrets_in_arguments = true;
               }
           },
           "A token and the pools it is for, * for all; better in --tunnel-token-file")
        ->type_name("TOKEN=POOL,POOL")
        ->allow_extra_args(false);
    app.add_option_function<std::string>(
           "--tunnel-token",
           [&options](const std::string& text) {
               const auto rule = TokenRule::parse(text + "=*");
               if (!rule) throw CLI::ValidationError("--tunnel-token", rule.error().message);
               options.tokens.push_back(*rule);
               options.secrets_in_arguments = true;
           },
           "The same, for all pools")
        ->type_name("TOKEN");
    app.add_option("--tunnel-token-file", options.token_files,
                   "A file of such rules, one a line; read again at SIGHUP")
        ->type_name("FILE")
        ->allow_extra_args(false);
    app.add_option_function<std::vector<std::string>>(
           "--tunnel-certificate-policy",
           [&options](const std::vector<std::string>& texts) {
               for (const auto& text : texts) {
                   options.certificates.push_back(certificate_rule(text));
               }
           },
           "A certificate (PEM) that its owner shows by TLS, and the pools it is for")
        ->type_name("FILE=POOL,POOL")
        ->allow_extra_args(false);
}

void add_control_options(CLI::App& app, SentinelOptions& options) {
    app.add_option_function<std::string>(
           "--control",
           [&options](const std::string& text) {
               const auto address = SocketAddress::parse(text);
               if (!address) throw CLI::ValidationError("--control", address.error().message);
               options.control = *address;
           },
           "Where hosts register and status is told, over HTTP")
        ->type_name("ADDRESS:PORT");
    app.add_option("--control-certificate", options.control_certificate,
                   "Its certificate with the chain (PEM): needed beyond loopback")
        ->type_name("FILE");
    app.add_option("--control-key", options.control_key, "The key of that")->type_name("FILE");
    app.add_option("--admin-socket", options.admin_socket,
                   "Where administrators reach it (default: STATE-DIR/admin.sock)")
        ->type_name("PATH");
    app.add_option("--admin-group", options.admin_group, "Whose members are administrators");
    app.add_option("--tunnel-certificate", options.tunnel_certificate,
                   "What hosts see that open a tunnel where clients connect (PEM, with the chain)")
        ->type_name("FILE");
    app.add_option("--tunnel-key", options.tunnel_key, "The key of that")->type_name("FILE");
    app.add_option("--tunnel-client-ca", options.tunnel_client_ca,
                   "Authorities (PEM) whose certificates open tunnels for the pools they name "
                   "(URI:berth-pool:POOL), with their revocation lists if any")
        ->type_name("FILE");
    add_count(app, "--tunnel-hellos-max", options.tunnel_hellos.in_all,
              "Hosts that have not said their tunnel's hello, in all");
    add_count(app, "--tunnel-hellos-per-source-max", options.tunnel_hellos.from_a_source,
              "The same from one IPv4 /24 or IPv6 /56");
    add_count(app, "--tunnels-per-pool-max", options.tunnels_per_pool_max,
              "Tunnels of one pool at a time, of the 10,000 there may be in all");
    add_token_options(app, options);
    app.add_flag(
        "--compat-containarium", options.compat_containarium,
        "Hosts of Containarium 0.16 and 0.17: their JSON, and their tunnels, which are not "
        "encrypted");
    add_seconds(
        app, "--registration-ttl", options.pools.registration_ttl,
        "How long a primary that registered over HTTP may not beat: for tests, and for pools "
        "that come and go",
        registration_ttl_min);
    add_seconds(app, "--health-interval", options.health_interval,
                "How often each registered host is asked whether it answers");
    add_seconds(app, "--drain-timeout", options.drain_timeout,
                "How long connections may go on after SIGTERM or a takeover");
}

bool is_loopback(const SocketAddress& address) {
    const auto ip = address.ip();
    if (!address.is_v6()) return ip[0] == 127;
    return ip.substr(0, 15).find_first_not_of('\0') == ip.npos && ip[15] == 1;
}

/// What is wrong with the options together, or "".
std::string problem_of(const SentinelOptions& options) {
    if (options.routes.empty() && options.state_dir.empty()) {
        return "--routes or --state-dir is needed: without them there is nothing to route";
    }
    const bool control = options.control || options.secrets_in_arguments ||
                         !options.token_files.empty() || !options.certificates.empty() ||
                         !options.tunnel_certificate.empty();
    if (control && options.state_dir.empty()) return "--state-dir is needed to let hosts register";
    if (options.control_certificate.empty() != options.control_key.empty()) {
        return "--control-certificate and --control-key go together";
    }
    if (options.tunnel_certificate.empty() != options.tunnel_key.empty()) {
        return "--tunnel-certificate and --tunnel-key go together";
    }
    if (!options.tunnel_client_ca.empty() && options.tunnel_certificate.empty()) {
        return "--tunnel-client-ca needs --tunnel-certificate and --tunnel-key";
    }
    if (options.control && !is_loopback(*options.control) && options.control_certificate.empty()) {
        return "--control beyond loopback needs --control-certificate and --control-key, or tokens "
               "would be sent in clear";
    }
    return "";
}

/// A token is seen in /proc until here, and not after.
void blank_secrets(int argc, char** argv) {
    bool next = false;
    for (int at = 1; at < argc; ++at) {
        const std::string_view word = argv[at];
        const bool policy = word.starts_with("--tunnel-token-policy");
        const bool is_flag =
            policy || word == "--tunnel-token" || word.starts_with("--tunnel-token=");
        const auto equals = word.find('=');
        if (next || (is_flag && equals != word.npos)) {
            std::fill(argv[at] + (next ? 0 : equals + 1), argv[at] + word.size(), 'x');
        }
        next = is_flag && equals == word.npos && !next;
    }
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
        ->type_name("FILE");
    app.add_option("--state-dir", options.state_dir,
                   "Where tokens and owners of names are kept; hosts can register with it")
        ->type_name("DIRECTORY");
    add_control_options(app, options);
    app.add_option("--default-pool", options.pools.default_pool,
                   "Where clients go that ask for no name, or for one without a route")
        ->type_name("POOL");
    app.add_option("--proxy-protocol", proxied_pools,
                   "A pool that is told who connects, by PROXY protocol 2; * for all")
        ->type_name("POOL")
        ->allow_extra_args(false);
    app.add_option_function<std::string>(
           "--ssh",
           [&relay](const std::string& text) {
               const auto address = SocketAddress::parse(text);
               if (!address) throw CLI::ValidationError("--ssh", address.error().message);
               relay.ssh = *address;
           },
           "Where SSH clients go, which say so first; closed without it")
        ->type_name("ADDRESS:PORT");
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
    add_count(app, "--hellos-max", relay.hellos_max, "Clients without a whole hello, in all");
    add_count(app, "--hellos-per-source-max", relay.hellos_per_source_max,
              "The same from one IPv4 /24 or IPv6 /56");
    app.add_option("--connections-per-destination-max", options.connections_per_destination_max,
                   "Connections to one pool's address at a time (default: those that take half of "
                   "the descriptors)")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--access-log", options.access_log,
                   "Appends a line of JSON for each connection that is over; - for standard "
                   "output. Opened again at SIGHUP")
        ->type_name("FILE");
    app.add_option("--log-level", options.log_level)
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return std::unexpected(app.exit(problem) == 0 ? 0 : 2);
    }
    blank_secrets(argc, argv);
    if (const auto why = problem_of(options); !why.empty()) {
        fmt::print(stderr, "{}\nRun with --help for more information.\n", why);
        return std::unexpected(2);
    }
    if (options.admin_socket.empty()) options.admin_socket = options.state_dir / "admin.sock";
    options.pools.proxy_protocol.insert(proxied_pools.begin(), proxied_pools.end());
    return options;
}

}  // namespace berth::sentinel
