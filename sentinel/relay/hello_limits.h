// SPDX-License-Identifier: Apache-2.0
// How many connections may be waiting with half a hello, and with how many bytes, in all and from
// one source. Shared by all loops without a lock.
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
    /// What all together have is for whom there is room, or for one of each loop even so: then a
    /// loop needs nobody but its own oldest to make room.
    enum class Room : std::uint8_t { if_there_is, even_so };

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
        /// Takes room for that many more bytes, or says why not.
        [[nodiscard]] Refused grow(std::size_t bytes, Room room = Room::if_there_is) noexcept;

    private:
        friend class HelloLimits;
        HelloLimits* limits_ = nullptr;
        std::size_t source_ = 0;
        std::size_t bytes_ = 0;
    };

    /// Takes a place for a connection from there, or says why not.
    [[nodiscard]] Refused enter(const SocketAddress& from, Place& place,
                                Room room = Room::if_there_is) noexcept;
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
    struct Source {
        std::atomic<std::uint32_t> waiting = 0;
        std::atomic<std::uint32_t> bytes = 0;
    };
    /// Sources share counters when their keyed hashes do: a few in a million, and not by choice.
    static constexpr std::size_t source_count = 65536;
    [[nodiscard]] std::size_t source_of(const SocketAddress& from) const noexcept;

    const std::size_t waiting_max_, waiting_per_source_max_, bytes_max_, bytes_per_source_max_;
    const SipKey key_ = random_sip_key();
    std::atomic<std::size_t> waiting_ = 0;
    std::atomic<std::size_t> bytes_ = 0;
    std::array<Source, source_count> sources_ = {};
};

}  // namespace berth::sentinel
