// SPDX-License-Identifier: Apache-2.0
// GET /metrics: answered from one look at all containers a second, however many ask.
#pragma once

#include "base/clock.h"
#include "base/http_message.h"
#include "host/container/container_service.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace berth::metrics {

inline constexpr std::string_view metrics_path = "/metrics";
inline constexpr std::chrono::milliseconds metrics_age_max{1'000};

class Scrape {
public:
    Scrape(container::ContainerService& containers, const Clock& clock)
        : containers_(containers), clock_(clock) {}

    [[nodiscard]] HttpResponse answer(const HttpRequest& request);

private:
    container::ContainerService& containers_;
    const Clock& clock_;
    std::mutex mutex_;  // one looks, and the others wait for what it sees
    std::string text_;
    std::optional<std::chrono::steady_clock::time_point> seen_;
};

}  // namespace berth::metrics
