// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/relay.h"

#include <utility>

namespace berth::sentinel {

Result<std::unique_ptr<Relay>> Relay::start(const RelayOptions& options, RouteTable& routes,
                                            std::vector<Listener> listeners, Away* away) {
    std::unique_ptr<Relay> relay(new Relay(options));
    const std::size_t loops = listeners.empty() ? 0 : listeners[0].sockets.size();
    for (std::size_t loop = 0; loop < loops; ++loop) {
        std::vector<Door> doors;
        for (Listener& listener : listeners) {
            doors.push_back(
                {.socket = std::move(listener.sockets[loop]), .shared = listener.shared});
        }
        relay->loops_.push_back(BERTH_TRY(Loop::make(
            {.routes = routes, .limits = relay->limits_, .options = relay->options_, .away = away},
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

std::uint64_t Relay::count(Count what) const noexcept {
    std::uint64_t sum = 0;
    for (const auto& loop : loops_) sum += loop->counters().get(what);
    return sum;
}

}  // namespace berth::sentinel
