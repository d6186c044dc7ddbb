// SPDX-License-Identifier: Apache-2.0
// Time as a constructor argument, so that tests decide what time it is.
#pragma once

#include <chrono>
#include <string>

namespace berth {

class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;
    [[nodiscard]] virtual std::chrono::system_clock::time_point wall() const = 0;
    [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::now();
    }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
        return std::chrono::steady_clock::now();
    }
};

/// RFC 3339 in UTC with milliseconds, for example "2026-11-22T06:00:51.123Z".
[[nodiscard]] std::string to_rfc3339(std::chrono::system_clock::time_point time);

}  // namespace berth
