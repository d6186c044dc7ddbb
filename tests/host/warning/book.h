// SPDX-License-Identifier: Apache-2.0
// Warnings on a real database, with a clock that the test steps and events that it hears.
#pragma once

#include "host/warning/warnings.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace berth::warning {

class SteppedClock final : public Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::time_point(std::chrono::hours(500'000)) + moved;
    }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::time_point(moved);
    }
    std::chrono::seconds moved{};
};

/// Changes of warnings, as they are told.
class Heard {
public:
    void add(const Json& event) {
        const std::lock_guard lock(mutex_);
        changes_.emplace_back(event.at("change").get<std::string>() + " " +
                              event.at("id").get<std::string>());
        added_.notify_all();
    }
    /// Returns when that has been told.
    void wait_for(const std::string& change, const std::string& id) {
        std::unique_lock lock(mutex_);
        added_.wait(
            lock, [&] { return std::ranges::find(changes_, change + " " + id) != changes_.end(); });
    }

private:
    std::mutex mutex_;
    std::condition_variable added_;
    std::vector<std::string> changes_;
};

struct Book {
    TemporaryDirectory directory = {};
    SteppedClock clock = {};
    Heard heard = {};
    events::Events events = {};
    std::unique_ptr<EventSubscription> listening =
        events.subscribe([this](const Json& event) { heard.add(event); });
    std::unique_ptr<store::Database> database = {};
    Options options = {};
    std::unique_ptr<Warnings> warnings = {};

    Book() { restart(); }

    /// As kill -9 and a new start: nothing but the file is left.
    void restart() {
        warnings.reset();
        database.reset();
        database = store::Database::open(directory.path() / "berth.db").value();
        warnings = std::make_unique<Warnings>(*database, clock, events, options);
    }
    void raise(const std::string& entity, const std::string& message = "it broke",
               Severity severity = Severity::warning) const {
        warnings->raise({.type = "made_up",
                         .severity = severity,
                         .entity = entity,
                         .message = message,
                         .next = "mend it"});
    }
    /// The one there is, whatever its status.
    [[nodiscard]] store::Warning only() const {
        auto page = warnings->list({.acknowledged = true}).value();
        REQUIRE(page.total == 1);
        return page.warnings.at(0);
    }
    [[nodiscard]] std::int64_t listed() const { return warnings->list({}).value().total; }
};

}  // namespace berth::warning
