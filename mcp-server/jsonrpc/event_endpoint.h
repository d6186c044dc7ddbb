// SPDX-License-Identifier: Apache-2.0
// GET /events: what happens, one JSON object a line, for as long as the follower stays.
#pragma once

#include "base/http_message.h"
#include "tools-schema/registry/events.h"

#include <chrono>
#include <cstddef>
#include <string_view>

namespace berth {

inline constexpr std::string_view events_path = "/events";

/// An empty line this often shows both ends that the other is there.
inline constexpr std::chrono::milliseconds events_keep_alive{10'000};

struct EventLimits {
    std::size_t queue_max = 256;  // events that a follower has not taken yet
    std::chrono::milliseconds keep_alive = events_keep_alive;
};

/// Answers any HTTP request, and a good one until the follower leaves or the server stops. The
/// first line is empty: from then on no event is missed. A follower that is too slow for its queue
/// is cut off, so that it starts anew and looks at everything again.
[[nodiscard]] HttpResponse answer_events(const HttpRequest& request, EventSource& source,
                                         const EventLimits& limits = {});

}  // namespace berth
