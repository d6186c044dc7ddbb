// SPDX-License-Identifier: Apache-2.0
// How far a long call has come, on one line of a terminal that is gone when the call is over.
#pragma once

#include "mcp-server/cli/terminal.h"
#include "tools-schema/registry/invoker.h"

#include <chrono>
#include <condition_variable>
#include <iosfwd>
#include <mutex>
#include <string>
#include <thread>

namespace berth::cli {

/// The line as bytes for a terminal. Values in, values out; it knows no clock.
class ProgressLine {
public:
    /// A call that is over sooner draws nothing.
    static constexpr std::chrono::milliseconds quiet_time{300};

    ProgressLine(std::string doing, const Look& look) : doing_(std::move(doing)), look_(look) {}

    void report(const Progress& progress) { latest_ = progress; }

    /// What replaces the line drawn before: a bar when the total is known, otherwise a spinner with
    /// the seconds so far. "" when there is nothing to show yet.
    [[nodiscard]] std::string draw(std::chrono::milliseconds elapsed);

    /// What takes the line away; "" when there is none.
    [[nodiscard]] std::string erase();

private:
    [[nodiscard]] std::string bar(std::string_view message) const;

    std::string doing_;
    Look look_;
    Progress latest_;
    std::size_t frame_ = 0;
    bool drawn_ = false;
};

/// Draws a ProgressLine while it lives, when the stream is a terminal that can.
class ProgressMeter {
public:
    ProgressMeter(std::string doing, const Look& look, std::ostream& err);
    ProgressMeter(const ProgressMeter&) = delete;
    ProgressMeter& operator=(const ProgressMeter&) = delete;
    ~ProgressMeter();

    /// From any thread.
    void report(const Progress& progress);

private:
    void run(const std::stop_token& over);

    std::ostream& err_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    ProgressLine line_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace berth::cli
