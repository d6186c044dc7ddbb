// SPDX-License-Identifier: Apache-2.0
// berth-sentinel: the public front of many pools. Routes TLS by server name and reads none of it.
#include "base/descriptor_limit.h"
#include "base/files.h"
#include "base/log.h"
#include "sentinel/access/access_log.h"
#include "sentinel/app/control_plane.h"
#include "sentinel/app/file_watch.h"
#include "sentinel/app/sentinel_options.h"
#include "sentinel/app/upgrade.h"
#include "sentinel/relay/relay.h"
#include "sentinel/tunnel/tunnel_door.h"
#include "tools-schema/contract/error_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

namespace {

using namespace berth;
using namespace berth::sentinel;

/// Before any thread is started, so that none of them takes a signal.
Result<Fd> take_signals() {
    // splice(2) to a socket that was closed raises it, and has no flag against that.
    (void)std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
    if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
        return fail(system_error("block signals", errno));
    }
    Fd taken(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!taken) return fail(system_error("take signals", errno));
    return taken;
}

/// Everything there is while it runs, in the order in which it is made.
struct Sentinel {
    SentinelOptions options;
    RouteTable routes = {};
    std::unique_ptr<AccessLog> access = {};
    PathReports reports = {};
    std::unique_ptr<PageServer> pages = {};
    std::unique_ptr<TunnelDoor> tunnels = {};
    std::unique_ptr<Relay> relay = {};
    std::unique_ptr<ControlPlane> control = {};  // it asks the relay, and so ends before
    std::optional<FileWatch> watch = {};
    std::optional<UpgradeDoor> upgrades = {};
    std::vector<Listener> sockets = {};  // copies of those that the relay has, for a successor

    ~Sentinel() {
        if (tunnels) tunnels->stop();  // they ask the control plane, and the relay asks them
    }
};

Result<std::vector<Listener>> open_listeners(const SentinelOptions& options,
                                             std::vector<Listener> inherited) {
    auto listeners =
        inherited.empty() ? BERTH_TRY(take_inherited_listeners()) : std::move(inherited);
    // A predecessor listens where it was told to, which may be anywhere else.
    for (const auto& address : options.listen) {
        const auto is_it = [&](const Listener& one) {
            return one.address == address ||
                   (address.port() == 0 && one.address.ip() == address.ip());
        };
        if (std::ranges::any_of(listeners, is_it)) continue;
        listeners.push_back(BERTH_TRY(listen_on(address, options.threads)));
    }
    if (!listeners.empty()) return listeners;
    return fail(make_error(ErrorCode::invalid_argument, "there is nothing to listen on")
                    .next("give --listen ADDRESS:PORT, or let systemd listen "
                          "(berth-sentinel.socket)"));
}

Result<std::vector<Listener>> copies_of(const std::vector<Listener>& listeners) {
    std::vector<Listener> copies;
    for (const auto& listener : listeners) {
        copies.push_back({.address = listener.address, .sockets = {}, .shared = listener.shared});
        for (const auto& socket : listener.sockets) {
            copies.back().sockets.emplace_back(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
            if (!copies.back().sockets.back())
                return fail(system_error("copy a descriptor", errno));
        }
    }
    return copies;
}

OwnAddresses own_addresses(const std::vector<Listener>& listeners) {
    std::vector<SocketAddress> all;
    for (const auto& listener : listeners) all.push_back(listener.address);
    return OwnAddresses(std::move(all));
}

Result<> load_routes(Sentinel& sentinel) {
    const SentinelOptions& options = sentinel.options;
    if (options.routes.empty()) return {};
    {
        const auto file = BERTH_TRY(RoutesFile::load(options.routes, options.pools));
        for (const auto& pool : file.led_back()) {
            log::warning("a route leads back to the sentinel itself, and so nowhere",
                         {{"address", pool}});
        }
        for (const auto& name : options.pools.proxy_protocol) {
            const auto is_it = [&](const Pool& pool) { return name == "*" || pool.name == name; };
            if (!sentinel.control && std::ranges::none_of(file.list().pools, is_it)) {
                log::warning("no route names a pool of --proxy-protocol", {{"pool", name}});
            }
        }
        if (sentinel.control) {
            BERTH_TRY(sentinel.control->members().replace_static(file.list()));
        } else {
            BERTH_TRY(sentinel.routes.replace(file.list()));
        }
    }
    (void)::malloc_trim(0);  // reading took several times what the table takes
    log::info("routes", {{"file", options.routes.string()},
                         {"names", std::to_string(sentinel.routes.count())},
                         {"bytes", std::to_string(sentinel.routes.bytes())}});
    return {};
}

/// Whoever keeps the routes there are says so.
void load_again(Sentinel& sentinel) {
    const auto loaded = load_routes(sentinel);
    if (loaded) return;
    log::error("routes stay as they were", {{"file", sentinel.options.routes.string()},
                                            {"why", loaded.error().message},
                                            {"next", loaded.error().hint}});
}

/// What SIGHUP asks for besides the routes. What is wrong stays as it was.
void reload(Sentinel& sentinel) {
    if (sentinel.access) {
        if (const auto opened = sentinel.access->reopen(); !opened) {
            log::error("the access log goes on where it was", {{"why", opened.error().message}});
        }
    }
    if (sentinel.pages) {
        if (const auto loaded = sentinel.pages->reload(); !loaded) {
            log::error("pages stay as they were", {{"why", loaded.error().message}});
        }
    }
    if (sentinel.tunnels) {
        if (const auto loaded = sentinel.tunnels->reload(); !loaded) {
            log::error("the tunnels' certificate and client authority stay as they were",
                       {{"why", loaded.error().message}});
        }
    }
    if (sentinel.control) {
        if (const auto loaded = sentinel.control->reload(); !loaded) {
            log::error("tokens and certificates stay as they were",
                       {{"why", loaded.error().message}});
        }
    }
}

void tell_counts(const Relay& relay) {
    std::string line;
    for (std::size_t count = 0; count < count_names.size(); ++count) {
        line += fmt::format("{}{}={}", count == 0 ? "" : " ", count_names[count],
                            relay.count(static_cast<Count>(count)));
    }
    log::info("connections " + line);
}

/// Gives everything to a successor that asks. Whether it has it now.
bool hand_over(Sentinel& sentinel) {
    log::info("another process asks for the sockets");
    Inheritance ours;
    sentinel.control->pause();
    auto listeners = copies_of(sentinel.sockets);
    auto others = sentinel.control->sockets_of_paused();
    std::optional<Fd> line;
    if (listeners && others) {
        ours.listeners = *std::move(listeners);
        ours.others = *std::move(others);
        line = sentinel.upgrades->hand_over(ours);
    }
    if (!line) {
        log::error("the other process did not become ready: this one goes on");
        if (const auto resumed = sentinel.control->resume(); !resumed) {
            log::error("nobody can be asked any more", {{"why", resumed.error().message}});
        }
        return false;
    }
    sentinel.control->retire();
    sentinel.relay->drain(false);
    confirm(*line);
    log::info("the other process has them");
    return true;
}

enum class Ending { told, relieved };

/// Until a signal or a successor ends it.
Ending attend(Sentinel& sentinel, const Fd& signals) {
    std::array<pollfd, 3> polled{
        pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = sentinel.watch ? sentinel.watch->descriptor() : -1,
               .events = POLLIN,
               .revents = 0},
        pollfd{.fd = sentinel.upgrades ? sentinel.upgrades->descriptor() : -1,
               .events = POLLIN,
               .revents = 0}};
    while (true) {
        (void)::poll(polled.data(), polled.size(), -1);
        bool changed = sentinel.watch && sentinel.watch->changed();
        signalfd_siginfo signal{};
        while (::read(signals.get(), &signal, sizeof signal) == sizeof signal) {
            const int number = static_cast<int>(signal.ssi_signo);
            if (number == SIGTERM || number == SIGINT) return Ending::told;
            if (number == SIGHUP) {
                changed = true;
                reload(sentinel);
            }
            if (number == SIGUSR1) tell_counts(*sentinel.relay);
        }
        if (changed) load_again(sentinel);
        if (polled[2].revents != 0 && hand_over(sentinel)) return Ending::relieved;
    }
}

/// Clients there are, of loops and in tunnels.
std::size_t clients(const Sentinel& sentinel) {
    return sentinel.relay->open() + (sentinel.tunnels ? sentinel.tunnels->streams() : 0);
}

/// Lets connections end by themselves, for a time, or until a second signal.
void drain(Sentinel& sentinel, Ending ending, const Fd& signals) {
    sentinel.sockets.clear();
    if (ending == Ending::told) sentinel.relay->drain(true);
    if (sentinel.tunnels) sentinel.tunnels->drain();  // to the successor, where there is one
    // Loops and carriers count down without a word to anybody, and a drain is short.
    constexpr std::chrono::milliseconds look_every{20}, revoked_every{500};
    const auto deadline = std::chrono::steady_clock::now() + sentinel.options.drain_timeout;
    log::info("draining", {{"connections", std::to_string(clients(sentinel))}});
    const auto is_over = [&] { return sentinel.relay->is_over() && clients(sentinel) == 0; };
    auto revoked_due = std::chrono::steady_clock::now();
    while (!is_over() && std::chrono::steady_clock::now() < deadline) {
        // By the successor, which is the one to be told.
        if (sentinel.control && std::chrono::steady_clock::now() >= revoked_due) {
            revoked_due += revoked_every;
            sentinel.control->catch_up();
        }
        pollfd polled{.fd = signals.get(), .events = POLLIN, .revents = 0};
        if (::poll(&polled, 1, static_cast<int>(look_every.count())) <= 0) continue;
        signalfd_siginfo signal{};
        if (::read(signals.get(), &signal, sizeof signal) != sizeof signal) continue;
        const int number = static_cast<int>(signal.ssi_signo);
        if (number == SIGTERM || number == SIGINT) break;
        if (number == SIGHUP) reload(sentinel);
        if (number == SIGUSR1) tell_counts(*sentinel.relay);
    }
}

Result<> start(Sentinel& sentinel, Inheritance inherited) {
    auto listeners = BERTH_TRY(open_listeners(sentinel.options, std::move(inherited.listeners)));
    sentinel.options.pools.own = own_addresses(listeners);
    const SentinelOptions& options = sentinel.options;
    if (!options.state_dir.empty()) {
        sentinel.control = BERTH_TRY(ControlPlane::open(options, sentinel.routes));
    }
    if (!options.routes.empty()) {
        sentinel.watch = BERTH_TRY(FileWatch::start(options.routes));  // before the file is read
    }
    BERTH_TRY(load_routes(sentinel));
    if (!options.access_log.empty()) {
        sentinel.access = BERTH_TRY(AccessLog::open(options.access_log));
    }
    if (!options.pages.empty()) sentinel.pages = BERTH_TRY(PageServer::start(options.pages));
    if (sentinel.control && (!options.tunnel_certificate.empty() || options.compat_containarium)) {
        sentinel.tunnels = BERTH_TRY(TunnelDoor::start(
            {.own = {.certificate = options.tunnel_certificate, .key = options.tunnel_key},
             .client_authority = options.tunnel_client_ca,
             .containarium = options.compat_containarium,
             .hellos = options.tunnel_hellos,
             .sessions_per_pool_max = options.tunnels_per_pool_max,
             .access = sentinel.access.get(),
             .threads = options.threads,
             .limits = {.half_closed_max = options.relay.half_closed_timeout}},
            sentinel.control->members(), sentinel.control->policy()));
    }
    sentinel.sockets = BERTH_TRY(copies_of(listeners));
    sentinel.relay = BERTH_TRY(Relay::start(options.relay, sentinel.routes, std::move(listeners),
                                            options.threads,
                                            {.away = sentinel.pages.get(),
                                             .tunnels = sentinel.tunnels.get(),
                                             .access = sentinel.access.get(),
                                             .reports = &sentinel.reports}));
    for (const auto& listener : sentinel.sockets) {
        log::info("listening", {{"address", listener.address.to_string()},
                                {"threads", std::to_string(options.threads)}});
    }
    const bool successor = static_cast<bool>(inherited.line);
    if (sentinel.control) {
        BERTH_TRY(sentinel.control->serve({.relay = *sentinel.relay,
                                           .reports = sentinel.reports,
                                           .tunnels = sentinel.tunnels.get(),
                                           .access = sentinel.access.get(),
                                           .front = sentinel.sockets.front().address},
                                          std::move(inherited.others)));
    }
    if (successor) BERTH_TRY(relieve(inherited));
    if (sentinel.control) sentinel.upgrades = BERTH_TRY(UpgradeDoor::open(options.state_dir));
    return {};
}

Result<> run(const SentinelOptions& options) {
    log::start("berth-sentinel", options.log_level);
    if (::geteuid() == 0) log::warning("running as root, which nothing here needs");
    if (options.secrets_in_arguments) {
        log::warning(
            "a token on the command line can be seen by others of this machine: give it in "
            "--tunnel-token-file");
    }
    const Fd signals = BERTH_TRY(take_signals());
    const std::uint64_t descriptors = raise_descriptor_limit();
    log::info("descriptors", {{"max", std::to_string(descriptors)}});
    Inheritance inherited;
    if (!options.state_dir.empty()) {
        BERTH_TRY(make_directories(options.state_dir, 0700));
        if (auto found = BERTH_TRY(ask_predecessor(options.state_dir))) {
            inherited = *std::move(found);
        }
    }
    Sentinel sentinel{.options = options};
    // Two for each connection: no destination gets more than half of them.
    sentinel.options.relay.connections_per_destination_max =
        options.connections_per_destination_max != 0 ? options.connections_per_destination_max
                                                     : std::max<std::uint64_t>(descriptors / 4, 1);
    BERTH_TRY(start(sentinel, std::move(inherited)));
    log::info("ready");
    const Ending ending = attend(sentinel, signals);
    drain(sentinel, ending, signals);
    tell_counts(*sentinel.relay);
    log::info("ending");
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = read_sentinel_options(argc, argv);
    if (!options) return options.error();
    const auto done = run(*options);
    if (done) return EXIT_SUCCESS;
    const Error& error = done.error();
    fmt::print(stderr, "berth-sentinel: {}\n{}", error.message,
               error.hint.empty() ? "" : error.hint + "\n");
    return error_info(error.code).exit;
}
