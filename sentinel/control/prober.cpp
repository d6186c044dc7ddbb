// SPDX-License-Identifier: Apache-2.0
#include "sentinel/control/prober.h"

#include "base/fd.h"
#include "base/files.h"
#include "sentinel/proxy/proxy_protocol.h"
#include "tunnel/carry/front_probe.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <utility>

namespace berth::sentinel {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Probe {
    std::uint64_t registration = 0;
    Fd socket;
    SocketAddress to;
    std::string name;
    bool direct = false, proxied = false, asked = false;
    int problem = 0;  // errno of one that could not be connected to
    std::string answer;
    Health health = {};
    bool over = false;

    void end(std::string reason) {
        over = true;
        health = {.healthy = reason.empty(), .reason = std::move(reason)};
        socket.reset();
    }
};

void begin(Probe& probe) {
    const KernelAddress address = probe.to.to_kernel();
    probe.socket =
        Fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!probe.socket)
        return probe.end("cannot be asked: " + system_error("socket", errno).message);
    if (::connect(probe.socket.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
        probe.problem = errno;
        probe.end("does not accept connections: " + system_error("connect", probe.problem).message);
    }
}

void ask(Probe& probe) {
    int problem = 0;
    socklen_t size = sizeof problem;
    (void)::getsockopt(probe.socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) {
        probe.problem = problem;
        return probe.end("does not accept connections: " +
                         system_error("connect", problem).message);
    }
    std::string first;
    if (probe.proxied) {
        KernelAddress own;
        if (::getsockname(probe.socket.get(), own.get(), &own.size) == 0) {
            first = proxy_header(
                {.client = SocketAddress::of(own).value_or(probe.to), .server = probe.to},
                probe.name);
        }
    }
    first += tunnel::hello_for(probe.name);
    // Into an empty buffer of the kernel's it goes whole.
    (void)::send(probe.socket.get(), first.data(), first.size(), MSG_NOSIGNAL);
    probe.asked = true;
}

void listen_to(Probe& probe) {
    std::array<char, 64> bytes{};
    const ssize_t got = ::recv(probe.socket.get(), bytes.data(), bytes.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return probe.end("closes connections without an answer");
    probe.answer.append(bytes.data(), static_cast<std::size_t>(got));
    if (auto problem = tunnel::problem_in(probe.answer)) probe.end(*std::move(problem));
}

void run_some(std::span<Probe> probes, milliseconds patience, const std::stop_token& stop) {
    const auto deadline = steady_clock::now() + patience;
    for (Probe& probe : probes) begin(probe);
    while (!stop.stop_requested()) {
        std::vector<pollfd> polled;
        std::vector<Probe*> asked;
        for (Probe& probe : probes) {
            if (probe.over) continue;
            const short events = probe.asked ? POLLIN : POLLOUT;
            polled.push_back({.fd = probe.socket.get(), .events = events, .revents = 0});
            asked.push_back(&probe);
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
        if (asked.empty() || left.count() <= 0) break;
        constexpr milliseconds look_for_stop{200};
        (void)::poll(polled.data(), polled.size(),
                     static_cast<int>(std::min(left, look_for_stop).count()));
        for (std::size_t at = 0; at < polled.size(); ++at) {
            if (polled[at].revents == 0) continue;
            asked[at]->asked ? listen_to(*asked[at]) : ask(*asked[at]);
        }
    }
    for (Probe& probe : probes) {
        if (probe.over) continue;
        if (!probe.asked) probe.problem = ETIMEDOUT;
        const double seconds = std::chrono::duration<double>(patience).count();
        probe.end(fmt::format(
            "{} within {:.1f} s",
            probe.asked ? "accepts connections and does not answer" : "does not accept connections",
            seconds));
    }
}

}  // namespace

Prober::Prober(const Members& members, PathReports& reports, ProberOptions options)
    : members_(members), reports_(reports), options_(std::move(options)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Prober::~Prober() {
    thread_.request_stop();
    wake_.notify_all();
}

Health Prober::health(std::uint64_t registration) const {
    Finding found;
    {
        const std::scoped_lock lock(mutex_);
        const auto known = known_.find(registration);
        if (known != known_.end()) found = known->second;
    }
    const auto trouble = reports_.of(registration);
    if (found.health.healthy) {
        // It answered, but that was before.
        if (trouble.problem == 0 || trouble.refused_at < found.begun) return {};
        return {.healthy = false,
                .reason = "does not accept connections of clients: " +
                          system_error("connect", trouble.problem).message};
    }
    if (trouble.silent > 0) {
        found.health.reason += fmt::format(
            "; {} of clients got no byte either",
            trouble.silent == 1 ? "a connection" : fmt::format("{} connections", trouble.silent));
    }
    return found.health;
}

void Prober::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto next = steady_clock::now() + options_.interval;
        look_at_all(stop);
        std::unique_lock lock(mutex_);
        (void)wake_.wait_until(lock, stop, next, [&stop] { return stop.stop_requested(); });
    }
}

/// What does not answer is known within two intervals: it is asked once in each, and given most of
/// one for its answer.
void Prober::look_at_all(const std::stop_token& stop) {
    std::vector<Probe> probes;
    std::vector<std::uint64_t> registered;
    for (const auto& registration : members_.list()) {
        registered.push_back(registration.id);
        const Claim& claim = registration.claim;
        const auto* const address = std::get_if<SocketAddress>(&claim.destination);
        const bool tunnelled = std::holds_alternative<TunnelPort>(claim.destination);
        if (claim.hostname.empty() || (address == nullptr && !tunnelled)) continue;
        if (tunnelled && options_.front.port() == 0) continue;
        const auto& told = options_.pools.proxy_protocol;
        Probe probe;
        probe.registration = registration.id;
        probe.to = address != nullptr ? *address : options_.front;
        probe.name = claim.hostname;
        probe.direct = address != nullptr;
        probe.proxied = address != nullptr && (told.contains("*") || told.contains(claim.pool));
        probes.push_back(std::move(probe));
    }
    for (const auto& one : members_.static_pools().watched) registered.push_back(one.watched);
    std::ranges::sort(registered);
    reports_.keep(registered);
    const std::size_t rounds = (probes.size() + probes_max - 1) / probes_max;
    std::map<std::uint64_t, Finding> found;
    for (std::size_t round = 0; round < rounds; ++round) {
        const std::size_t from = round * probes_max;
        const auto some =
            std::span(probes).subspan(from, std::min(probes_max, probes.size() - from));
        const auto begun = steady_clock::now();
        run_some(some, options_.interval * 4 / 5 / static_cast<int>(rounds), stop);
        for (Probe& probe : some) {
            // Clients need not wait for a host to learn what is known of it.
            if (probe.direct && probe.problem != 0) {
                reports_.refused(probe.registration, probe.problem);
            } else if (probe.direct && probe.asked) {
                reports_.accepted(probe.registration);
            }
            if (probe.health.healthy) reports_.answered(probe.registration, begun);
            found.emplace(probe.registration,
                          Finding{.health = std::move(probe.health), .begun = begun});
        }
    }
    if (stop.stop_requested()) return;
    const std::scoped_lock lock(mutex_);
    known_.swap(found);
}

}  // namespace berth::sentinel
