// SPDX-License-Identifier: Apache-2.0
// Joins two reasons to stop: std::stop_token knows only one.
#pragma once

#include <stop_token>
#include <utility>

namespace berth {

/// Its token stops when one of the two does. What still holds the token after this is gone is not
/// told any more.
class EitherStop {
public:
    EitherStop(std::stop_token first, std::stop_token second)
        : first_(std::move(first), Pass{source_}), second_(std::move(second), Pass{source_}) {}
    EitherStop(const EitherStop&) = delete;
    EitherStop& operator=(const EitherStop&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    struct Pass {
        std::stop_source& to;
        void operator()() const { (void)to.request_stop(); }
    };
    std::stop_source source_;
    std::stop_callback<Pass> first_, second_;
};

}  // namespace berth
