// SPDX-License-Identifier: Apache-2.0
#include "host/events/events.h"

#include "tests/support/catch.h"

#include <atomic>
#include <future>

using namespace berth;
using namespace berth::events;

namespace {

/// Keeps what it hears; wait() returns when it has heard `count` events.
class Ear {
public:
    explicit Ear(Events& events)
        : subscription_(events.subscribe([this](const Json& event) { hear(event); })) {}

    std::vector<Json> wait(std::size_t count) {
        std::unique_lock lock(mutex_);
        heard_more_.wait(lock, [&] { return heard_.size() >= count; });
        return heard_;
    }

private:
    void hear(const Json& event) {
        const std::lock_guard lock(mutex_);
        heard_.push_back(event);
        heard_more_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable heard_more_;
    std::vector<Json> heard_;
    std::unique_ptr<EventSubscription> subscription_;
};

}  // namespace

TEST_CASE("every listener hears every event, in the order they were published", "[events]") {
    Events events;
    Ear first(events), second(events);
    events.container("ada", "created");
    events.operation("op_1", "completed", "uid:0");
    const std::vector<Json> expected{
        {{"kind", "container"}, {"name", "ada"}, {"change", "created"}},
        {{"kind", "operation"}, {"id", "op_1"}, {"status", "completed"}, {"caller", "uid:0"}}};
    CHECK(first.wait(2) == expected);
    CHECK(second.wait(2) == expected);
}

TEST_CASE("a subscription that has ended hears nothing more", "[events]") {
    Events events;
    std::atomic<int> heard = 0;
    auto subscription = events.subscribe([&heard](const Json&) { ++heard; });
    Ear ear(events);
    events.container("ada", "created");
    (void)ear.wait(1);
    subscription.reset();
    const int before = heard;
    events.container("ada", "deleted");
    (void)ear.wait(2);
    CHECK(heard == before);
}

TEST_CASE("a listener may end its own subscription", "[events]") {
    Events events;
    std::unique_ptr<EventSubscription> subscription;
    std::atomic<int> heard = 0;
    subscription = events.subscribe([&](const Json&) {
        ++heard;
        subscription.reset();
    });
    Ear ear(events);
    events.container("ada", "created");
    events.container("ada", "deleted");
    (void)ear.wait(2);
    CHECK(heard == 1);
}

TEST_CASE("a slow listener holds up no publisher, and learns that it missed some", "[events]") {
    Events events;
    std::promise<void> begun, go_on;
    std::atomic<bool> first = true;
    const auto slow = events.subscribe([&](const Json&) {
        if (!first.exchange(false)) return;
        begun.set_value();
        go_on.get_future().wait();
    });
    Ear ear(events);
    events.container("first", "created");
    begun.get_future().wait();
    for (std::size_t count = 0; count <= waiting_events_max; ++count)
        events.container("box" + std::to_string(count), "created");
    go_on.set_value();
    const auto heard = ear.wait(waiting_events_max + 2);
    CHECK(heard.at(1).at("kind") == "missed");
    CHECK(heard.at(2).at("name") == "box1");
    CHECK(heard.back().at("name") == "box" + std::to_string(waiting_events_max));
}
