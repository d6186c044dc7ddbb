// SPDX-License-Identifier: Apache-2.0
// What changed on a host, told to whoever listens while they listen.
#pragma once

#include "tools-schema/contract/json.h"

#include <functional>
#include <memory>

namespace berth {

/// Listens until it is destroyed; then no call of its listener is under way any more.
class EventSubscription {
public:
    EventSubscription() = default;
    EventSubscription(const EventSubscription&) = delete;
    EventSubscription& operator=(const EventSubscription&) = delete;
    virtual ~EventSubscription() = default;
};

class EventSource {
public:
    EventSource() = default;
    EventSource(const EventSource&) = delete;
    EventSource& operator=(const EventSource&) = delete;
    virtual ~EventSource() = default;

    /// `listener` is called with one event after the other, from a thread of the source's.
    [[nodiscard]] virtual std::unique_ptr<EventSubscription> subscribe(
        std::function<void(const Json&)> listener) = 0;
};

}  // namespace berth
