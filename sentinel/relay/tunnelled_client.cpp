// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/tunnelled_client.h"

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace berth::sentinel {
namespace {

using How = tunnel::StreamEnd::How;

/// None for one that ends with the sentinel, which no loop counts either.
std::optional<Count> count_of(How how) {
    switch (how) {
        case How::ended:
            return Count::ended;
        case How::reset:
            return Count::reset;
        case How::refused:
            return Count::primary_down;
        case How::full:
            return Count::tunnel_full;
        case How::stopped:
            break;
    }
    return std::nullopt;
}

}  // namespace

void TunnelledClient::heard() {
    if (reports_ != nullptr) reports_->answered(registration);
}

void TunnelledClient::over(const tunnel::StreamEnd& end) {
    const auto count = count_of(end.how);
    if (count) counters_.add(*count);
    if (log_ == nullptr) return;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    line.ended_at = std::chrono::system_clock::now();
    line.outcome = count ? count_names[static_cast<std::size_t>(*count)] : "stopped";
    line.bytes_from_client += end.bytes_from_socket;
    line.bytes_to_client = end.bytes_to_socket;
    line.duration_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count() - begun_ms;
    log_->put(std::move(line));
}

}  // namespace berth::sentinel
