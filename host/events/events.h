// SPDX-License-Identifier: Apache-2.0
// Tells listeners what has changed on this host. Whoever publishes never waits: events wait in a
// queue for one thread that delivers them, and when the queue is full the oldest are given up and
// listeners hear that they missed some, so that they can look for themselves.
#pragma once

#include "tools-schema/registry/events.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace berth::events {

inline constexpr std::size_t waiting_events_max = 4096;

class Events final : public EventSource {
public:
    Events();
    ~Events() override;

    /// Queues an event. Call it after the change is durable.
    void publish(Json event);

    /// {"kind":"container","name":"ada","change":"created"}
    void container(const std::string& name, std::string_view change);
    /// {"kind":"operation","id":"op_…","status":"completed","caller":"uid:0"}
    void operation(const std::string& id, std::string_view status, const std::string& caller);

    /// The listener must not wait for long: the others wait for it. When events were given up,
    /// {"kind":"missed"} stands in their place.
    [[nodiscard]] std::unique_ptr<EventSubscription> subscribe(
        std::function<void(const Json&)> listener) override;

private:
    class Subscription;
    void deliver(const std::stop_token& stopping);
    void unsubscribe(std::uint64_t key);

    std::mutex queue_mutex_;
    std::condition_variable_any queue_filled_;
    std::deque<Json> queue_;
    bool missed_ = false;

    std::recursive_mutex listeners_mutex_;  // a listener may end its own subscription
    std::map<std::uint64_t, std::function<void(const Json&)>> listeners_;
    std::uint64_t next_key_ = 1;
    std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace berth::events
