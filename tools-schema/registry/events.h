// SPDX-License-Identifier: Apache-2.0
// What happens without being asked for, told to whoever follows: the one interface between those
// who know and those who pass it on.
#pragma once

#include "tools-schema/contract/json.h"

#include <functional>
#include <memory>

namespace berth {

/// Ends when it is destroyed: afterwards, nothing is called back and nothing is being called back.
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

    /// Calls back for every event from now on, from any thread, until the returned handle is
    /// destroyed. The callback returns soon and does not throw.
    [[nodiscard]] virtual std::unique_ptr<EventSubscription> subscribe(
        std::function<void(const Json&)> on_event) = 0;
};

}  // namespace berth
