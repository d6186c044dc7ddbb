// SPDX-License-Identifier: Apache-2.0
// The steps of a long change: between two of them its caller hears how far it is, and can take it
// back.
#pragma once

#include "host/container/container_service.h"

#include <string_view>

namespace berth::container {

inline Error cancelled_error(std::string_view what_is_left) {
    return make_error(ErrorCode::unavailable, "was cancelled; " + std::string(what_is_left))
        .next("call again if it is wanted after all");
}

/// What is said when a step failed: that it was cancelled, when that is why.
inline Error told(const Error& error, const Waiting& waiting, std::string_view what_is_left) {
    return waiting.cancelled.stop_requested() ? cancelled_error(what_is_left) : error;
}

inline constexpr int steps_of_bring_up = 3;
inline constexpr int steps = steps_of_bring_up + 1;

/// Between two steps: tells how far it is, and ends it here when nobody wants it any more.
inline Result<> go_on(const Waiting& waiting, int done, std::string_view doing) {
    if (waiting.cancelled.stop_requested()) return fail(cancelled_error("it ends here"));
    if (waiting.report) waiting.report(done, steps, doing);
    return {};
}

}  // namespace berth::container
