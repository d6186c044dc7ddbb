// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/hello_limits.h"

namespace berth::sentinel {
namespace {

// What one customer of a provider typically has.
constexpr std::size_t source_bytes_v4 = 3;
constexpr std::size_t source_bytes_v6 = 7;

/// Adds to a counter unless it would pass `most`.
template <class Counter, class Amount>
bool add_below(Counter& counter, Amount amount, Amount most) noexcept {
    if (counter.fetch_add(amount) + amount <= most) return true;
    counter.fetch_sub(amount);
    return false;
}

}  // namespace

HelloLimits::HelloLimits(const RelayOptions& options)
    : waiting_max_(options.hellos_max),
      per_source_max_(options.hellos_per_source_max),
      bytes_max_(options.hello_bytes_in_all_max) {}

std::size_t HelloLimits::source_of(const SocketAddress& from) const noexcept {
    const auto network = from.ip().substr(0, from.is_v6() ? source_bytes_v6 : source_bytes_v4);
    return sip_hash(key_, network) % source_count;
}

HelloLimits::Refused HelloLimits::enter(const SocketAddress& from, Place& place) noexcept {
    const std::size_t source = source_of(from);
    const auto per_source = static_cast<std::uint32_t>(per_source_max_);
    if (!add_below(sources_[source], std::uint32_t{1}, per_source)) return Refused::source_full;
    if (!add_below(waiting_, std::size_t{1}, waiting_max_)) {
        --sources_[source];
        return Refused::all_full;
    }
    place.limits_ = this;
    place.source_ = source;
    return Refused::no;
}

bool HelloLimits::Place::grow(std::size_t bytes) noexcept {
    if (limits_ == nullptr || !add_below(limits_->bytes_, bytes, limits_->bytes_max_)) return false;
    bytes_ += bytes;
    return true;
}

HelloLimits::Place::~Place() {
    if (limits_ == nullptr) return;
    limits_->bytes_ -= bytes_;
    --limits_->sources_[source_];
    --limits_->waiting_;
}

}  // namespace berth::sentinel
