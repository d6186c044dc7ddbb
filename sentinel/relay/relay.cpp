// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/relay.h"

#include <algorithm>
#include <utility>

namespace berth::sentinel {
namespace {

RelayOptions for_loops(RelayOptions options, std::size_t loops) {
    const std::size_t share = std::max<std::size_t>(1, options.pipes_in_all_max / loops);
    options.pipes_max = std::min(options.pipes_max, share);
    return options;
}

}  // namespace

Relay::Relay(const RelayOptions& options, std::size_t loops)
    : options_(for_loops(options, loops)),
      limits_(options),
      destinations_(options.connections_per_destination_max) {}

Result<std::unique_ptr<Relay>> Relay::start(const RelayOptions& options, RouteTable& routes,
                                            std::vector<Listener> listeners, std::size_t loops,
                                            const RelayNeighbours& neighbours) {
    std::unique_ptr<Relay> relay(new Relay(options, loops));
    for (Listener& listener : listeners) BERTH_TRY(give_each(listener, loops));
    for (std::size_t loop = 0; loop < loops; ++loop) {
        std::vector<Door> doors;
        for (Listener& listener : listeners) {
            for (std::size_t at = loop; at < listener.sockets.size(); at += loops) {
                doors.push_back(
                    {.socket = std::move(listener.sockets[at]), .shared = listener.shared});
            }
        }
        relay->loops_.push_back(BERTH_TRY(Loop::make({.routes = routes,
                                                      .limits = relay->limits_,
                                                      .destinations = relay->destinations_,
                                                      .options = relay->options_,
                                                      .away = neighbours.away,
                                                      .tunnels = neighbours.tunnels,
                                                      .access = neighbours.access,
                                                      .reports = neighbours.reports},
                                                     std::move(doors))));
    }
    for (const auto& loop : relay->loops_) {
        relay->threads_.emplace_back([&one = *loop] { one.run(); });
    }
    return relay;
}

Relay::~Relay() {
    for (const auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
}

void Relay::drain(bool queued) noexcept {
    for (const auto& loop : loops_) loop->drain(queued);
}

bool Relay::is_over() const noexcept {
    return std::ranges::all_of(loops_, [](const auto& loop) { return loop->is_over(); });
}

std::size_t Relay::open() const noexcept {
    std::size_t sum = 0;
    for (const auto& loop : loops_) sum += loop->open();
    return sum;
}

std::uint64_t Relay::bytes(Flow flow) const noexcept {
    std::uint64_t sum = 0;
    for (const auto& loop : loops_) sum += loop->transfer().bytes(flow);
    return sum;
}

std::uint64_t Relay::count(Count what) const noexcept {
    std::uint64_t sum = 0;
    for (const auto& loop : loops_) sum += loop->counters().get(what);
    return sum;
}

}  // namespace berth::sentinel
