// SPDX-License-Identifier: Apache-2.0
// One call under way: the thread that works on it on one side, and on the other everybody who waits
// for it, hears of its progress, or wants it to stop.
#pragma once

#include "host/store/operations.h"
#include "host/store/requests.h"
#include "tools-schema/registry/invoker.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace berth::operation {

/// An operation as it can be asked for.
struct State {
    store::Operation row;
    std::optional<Progress> progress = {};
};

class Run {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// `row` is what will be kept when somebody gets it by id; `request` when it is to happen once.
    Run(store::Operation row, std::optional<store::Request> request)
        : row_(std::move(row)), request_(std::move(request)) {}

    [[nodiscard]] const std::optional<store::Request>& request() const { return request_; }

    // The side that works

    [[nodiscard]] std::stop_token stopping() const { return stop_.get_token(); }
    void report(const Progress& progress);
    /// `as` is the row of its end; `keep` writes it down, if the operation was handed out.
    void end(Result<Json> outcome, store::Operation as,
             const std::function<void(const store::Operation&)>& keep);

    // The side that waits

    enum class Woke : std::uint8_t { ended, left, background };
    /// Until the end, until the call is cancelled or its time is up, or until `background_at`.
    /// Forwards progress, and says that it still runs when there was none for `beat_every`.
    [[nodiscard]] Woke wait(const Call& call, std::optional<Time> background_at,
                            std::chrono::milliseconds beat_every);
    /// True when it ends before `deadline` and `cancelled`.
    bool wait_for_end(Time deadline, const std::stop_token& cancelled);
    /// After its end.
    [[nodiscard]] Result<Json> outcome();
    [[nodiscard]] State state();

    /// Whoever waits has joined; when the last one leaves work that was not handed out, it is told
    /// to stop. True when it was.
    void join();
    bool leave();

    /// Gives the operation out by its id, which is written down by `keep` before. False when it
    /// has ended already.
    [[nodiscard]] Result<bool> hand_out(
        const std::function<Result<>(const store::Operation&)>& keep);
    /// Somebody wants it to stop, whoever waits.
    void cancel(bool asked_by_caller);
    /// Whether it was told to stop at all, and whether a caller said so by its id.
    [[nodiscard]] bool told_to_stop() const { return stop_.stop_requested(); }
    [[nodiscard]] bool cancelled_by_id();

private:
    /// What is said when nothing was reported: for the `beats`th time since something was.
    [[nodiscard]] Progress heartbeat(int beats) const;

    std::mutex mutex_;
    std::condition_variable_any changed_;
    store::Operation row_;
    const std::optional<store::Request> request_;
    const Time begun_ = std::chrono::steady_clock::now();
    std::stop_source stop_;
    std::optional<Result<Json>> outcome_;
    std::optional<Progress> progress_;
    std::uint64_t reports_ = 0;
    int waiting_ = 0;
    bool handed_out_ = false;
    bool cancelled_by_id_ = false;
};

}  // namespace berth::operation
