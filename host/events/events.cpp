// SPDX-License-Identifier: Apache-2.0
#include "host/events/events.h"

#include <vector>

namespace berth::events {

class Events::Subscription final : public EventSubscription {
public:
    Subscription(Events& events, std::uint64_t key) : events_(events), key_(key) {}
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription() override { events_.unsubscribe(key_); }

private:
    Events& events_;
    std::uint64_t key_;
};

Events::Events() : thread_([this](const std::stop_token& stopping) { deliver(stopping); }) {}

Events::~Events() = default;

void Events::publish(Json event) {
    {
        const std::lock_guard lock(queue_mutex_);
        if (queue_.size() >= waiting_events_max) {
            queue_.pop_front();
            missed_ = true;
        }
        queue_.push_back(std::move(event));
    }
    queue_filled_.notify_one();
}

void Events::container(const std::string& name, std::string_view change) {
    publish({{"kind", "container"}, {"name", name}, {"change", change}});
}

void Events::operation(const std::string& id, std::string_view status, const std::string& caller) {
    publish({{"kind", "operation"}, {"id", id}, {"status", status}, {"caller", caller}});
}

std::unique_ptr<EventSubscription> Events::subscribe(std::function<void(const Json&)> listener) {
    const std::lock_guard lock(listeners_mutex_);
    const auto key = next_key_++;
    listeners_.emplace(key, std::move(listener));
    return std::make_unique<Subscription>(*this, key);
}

void Events::unsubscribe(std::uint64_t key) {
    const std::lock_guard lock(listeners_mutex_);  // waits for a delivery that is under way
    listeners_.erase(key);
}

void Events::deliver(const std::stop_token& stopping) {
    for (;;) {
        std::vector<Json> due;
        {
            std::unique_lock lock(queue_mutex_);
            if (!queue_filled_.wait(lock, stopping, [this] { return !queue_.empty(); })) return;
            if (missed_) due.push_back({{"kind", "missed"}});
            missed_ = false;
            due.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        for (const Json& event : due) {
            const std::lock_guard lock(listeners_mutex_);
            for (auto at = listeners_.begin(); at != listeners_.end();) {
                const auto listener = at->second;  // a copy: the call may end its own subscription
                const auto key = at->first;
                listener(event);
                at = listeners_.upper_bound(key);
            }
        }
    }
}

}  // namespace berth::events
