// SPDX-License-Identifier: Apache-2.0
// berth-sentinel: the public front of many pools. Routes TLS by server name and reads none of it.
#include "base/files.h"
#include "base/log.h"
#include "sentinel/app/file_watch.h"
#include "sentinel/app/sentinel_options.h"
#include "sentinel/relay/relay.h"
#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>

namespace {

using namespace berth;
using namespace berth::sentinel;

/// As many descriptors as this process may have: two for each connection.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // else it stays as it is
    log::info("descriptors", {{"max", std::to_string(limit.rlim_cur)}});
}

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

Result<std::vector<Listener>> open_listeners(const SentinelOptions& options) {
    auto listeners = BERTH_TRY(take_inherited_listeners(options.threads));
    if (listeners.empty() == options.listen.empty()) {
        return fail(make_error(ErrorCode::invalid_argument,
                               listeners.empty()
                                   ? "there is nothing to listen on"
                                   : "sockets were handed over, and --listen is given")
                        .next("give --listen ADDRESS:PORT, or let systemd listen "
                              "(berth-sentinel.socket), and not both"));
    }
    for (const auto& address : options.listen) {
        listeners.push_back(BERTH_TRY(listen_on(address, options.threads)));
    }
    return listeners;
}

Result<> load_routes(const SentinelOptions& options, RouteTable& routes) {
    {
        const auto file = BERTH_TRY(RoutesFile::load(options.routes, options.pools));
        for (const auto& name : options.pools.proxy_protocol) {
            const auto is_it = [&](const Pool& pool) { return name == "*" || pool.name == name; };
            if (std::ranges::none_of(file.list().pools, is_it)) {
                log::warning("no route names a pool of --proxy-protocol", {{"pool", name}});
            }
        }
        BERTH_TRY(routes.replace(file.list()));
    }
    (void)::malloc_trim(0);  // reading took several times what the table takes
    log::info("routes", {{"file", options.routes.string()},
                         {"names", std::to_string(routes.count())},
                         {"bytes", std::to_string(routes.bytes())}});
    return {};
}

/// Whoever keeps the routes there are says so.
void load_again(const SentinelOptions& options, RouteTable& routes) {
    const auto loaded = load_routes(options, routes);
    if (loaded) return;
    log::error("routes stay as they were", {{"file", options.routes.string()},
                                            {"why", loaded.error().message},
                                            {"next", loaded.error().hint}});
}

void tell_counts(const Relay& relay) {
    std::string line;
    for (std::size_t count = 0; count < count_names.size(); ++count) {
        line += fmt::format("{}{}={}", count == 0 ? "" : " ", count_names[count],
                            relay.count(static_cast<Count>(count)));
    }
    log::info("connections " + line);
}

void load_pages_again(PageServer* pages) {
    if (pages == nullptr) return;
    if (const auto loaded = pages->reload(); !loaded) {
        log::error("pages stay as they were", {{"why", loaded.error().message}});
    }
}

/// Until a signal ends it.
void attend(const SentinelOptions& options, RouteTable& routes, PageServer* pages,
            const Relay& relay, const Fd& signals, FileWatch& watch) {
    std::array<pollfd, 2> polled{pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = watch.descriptor(), .events = POLLIN, .revents = 0}};
    while (true) {
        (void)::poll(polled.data(), polled.size(), -1);
        bool changed = watch.changed();
        signalfd_siginfo signal{};
        while (::read(signals.get(), &signal, sizeof signal) == sizeof signal) {
            const int number = static_cast<int>(signal.ssi_signo);
            if (number == SIGTERM || number == SIGINT) return;
            if (number == SIGHUP) {
                changed = true;
                load_pages_again(pages);
            }
            if (number == SIGUSR1) tell_counts(relay);
        }
        if (changed) load_again(options, routes);
    }
}

Result<> run(const SentinelOptions& options) {
    log::start("berth-sentinel", options.log_level);
    if (::geteuid() == 0) log::warning("running as root, which nothing here needs");
    const Fd signals = BERTH_TRY(take_signals());
    raise_descriptor_limit();
    auto listeners = BERTH_TRY(open_listeners(options));
    RouteTable routes;
    auto watch = BERTH_TRY(FileWatch::start(options.routes));  // before the file is read
    BERTH_TRY(load_routes(options, routes));
    std::vector<SocketAddress> addresses;
    for (const auto& listener : listeners) addresses.push_back(listener.address);
    std::unique_ptr<PageServer> pages;
    if (!options.pages.empty()) pages = BERTH_TRY(PageServer::start(options.pages));
    const auto relay =
        BERTH_TRY(Relay::start(options.relay, routes, std::move(listeners), pages.get()));
    for (const auto& address : addresses) {
        log::info("listening",
                  {{"address", address.to_string()}, {"threads", std::to_string(options.threads)}});
    }
    log::info("ready");
    attend(options, routes, pages.get(), *relay, signals, watch);
    tell_counts(*relay);
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
