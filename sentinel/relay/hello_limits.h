// SPDX-License-Identifier: Apache-2.0
// How many connections may be waiting with half a hello, in all and from one source. Shared by all
// loops without a lock.
#pragma once

#include "base/socket_address.h"
#include "sentinel/relay/relay_options.h"
#include "sentinel/route/sip_hash.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace berth::sentinel {

class HelloLimits {
public:
    explicit HelloLimits(const RelayOptions& options);

    enum class Refused : std::uint8_t { no, source_full, all_full };

    /// One connection's place among those that wait, given back when it is destroyed.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept
            : limits_(std::exchange(other.limits_, nullptr)),
              source_(other.source_),
              bytes_(std::exchange(other.bytes_, 0)) {}
        Place& operator=(Place&& other) noexcept {
            std::swap(limits_, other.limits_);
            std::swap(source_, other.source_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Place();
        [[nodiscard]] explicit operator bool() const noexcept { return limits_ != nullptr; }
        /// Room for that many more bytes; false, and none, when all together have too many.
        [[nodiscard]] bool grow(std::size_t bytes) noexcept;

    private:
        friend class HelloLimits;
        HelloLimits* limits_ = nullptr;
        std::size_t source_ = 0;
        std::size_t bytes_ = 0;
    };

    /// Takes a place for a connection from there, or says why not.
    [[nodiscard]] Refused enter(const SocketAddress& from, Place& place) noexcept;
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
    /// Sources share a counter when their keyed hashes do: a few in a million, and not by choice.
    static constexpr std::size_t source_count = 65536;
    [[nodiscard]] std::size_t source_of(const SocketAddress& from) const noexcept;

    const std::size_t waiting_max_, per_source_max_, bytes_max_;
    const SipKey key_ = random_sip_key();
    std::atomic<std::size_t> waiting_ = 0;
    std::atomic<std::size_t> bytes_ = 0;
    std::array<std::atomic<std::uint32_t>, source_count> sources_ = {};
};

}  // namespace berth::sentinel
