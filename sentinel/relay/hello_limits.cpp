// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/hello_limits.h"

namespace berth::sentinel {
namespace {

// What one customer of a provider typically has.
constexpr std::size_t source_bytes_v4 = 3;
constexpr std::size_t source_bytes_v6 = 7;

/// Adds to a counter unless it would pass `most`.
template <class Count>
bool add_below(std::atomic<Count>& counter, std::size_t amount, std::size_t most) noexcept {
    const auto more = static_cast<Count>(amount);
    if (counter.fetch_add(more) + amount <= most) return true;
    counter.fetch_sub(more);
    return false;
}

}  // namespace

HelloLimits::HelloLimits(const RelayOptions& options)
    : waiting_max_(options.hellos_max),
      waiting_per_source_max_(options.hellos_per_source_max),
      bytes_max_(options.hello_bytes_in_all_max),
      bytes_per_source_max_(options.hello_bytes_per_source_max) {}

std::size_t HelloLimits::source_of(const SocketAddress& from) const noexcept {
    const auto network = from.ip().substr(0, from.is_v6() ? source_bytes_v6 : source_bytes_v4);
    return sip_hash(key_, network) % source_count;
}

HelloLimits::Refused HelloLimits::enter(const SocketAddress& from, Place& place,
                                        Room room) noexcept {
    const std::size_t source = source_of(from);
    auto& of_source = sources_[source].waiting;
    if (!add_below(of_source, 1, waiting_per_source_max_)) return Refused::source_full;
    if (room == Room::even_so) {
        ++waiting_;
    } else if (!add_below(waiting_, 1, waiting_max_)) {
        --of_source;
        return Refused::all_full;
    }
    place.limits_ = this;
    place.source_ = source;
    return Refused::no;
}

HelloLimits::Refused HelloLimits::Place::grow(std::size_t bytes, Room room) noexcept {
    if (limits_ == nullptr) return Refused::source_full;
    auto& of_source = limits_->sources_[source_].bytes;
    if (!add_below(of_source, bytes, limits_->bytes_per_source_max_)) return Refused::source_full;
    if (room == Room::even_so) {
        limits_->bytes_ += bytes;
    } else if (!add_below(limits_->bytes_, bytes, limits_->bytes_max_)) {
        of_source -= static_cast<std::uint32_t>(bytes);
        return Refused::all_full;
    }
    bytes_ += bytes;
    return Refused::no;
}

HelloLimits::Place::~Place() {
    if (limits_ == nullptr) return;
    Source& source = limits_->sources_[source_];
    limits_->bytes_ -= bytes_;
    source.bytes -= static_cast<std::uint32_t>(bytes_);
    --source.waiting;
    --limits_->waiting_;
}

}  // namespace berth::sentinel
