// SPDX-License-Identifier: Apache-2.0
// What containers use, in the text format that Prometheus scrapes. Values in, bytes out.
#pragma once

#include "host/container/container_service.h"

#include <span>
#include <string>
#include <string_view>

namespace berth::metrics {

inline constexpr std::string_view prometheus_type = "text/plain; version=0.0.4; charset=utf-8";

/// Every container has its limits, and one that runs what it uses; what a kernel does not count is
/// left out.
[[nodiscard]] std::string to_prometheus(std::span<const container::Sample> samples);

}  // namespace berth::metrics
