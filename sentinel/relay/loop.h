// SPDX-License-Identifier: Apache-2.0
// One thread's connections, from accept to close: an epoll loop in which every step is bounded.
#pragma once

#include "sentinel/access/access_log.h"
#include "sentinel/access/path_reports.h"
#include "sentinel/relay/away.h"
#include "sentinel/relay/connection.h"
#include "sentinel/relay/counters.h"
#include "sentinel/relay/relay_options.h"
#include "sentinel/relay/transfer.h"
#include "sentinel/relay/tunnels.h"
#include "sentinel/route/route_table.h"
#include "sentinel/tls/alert.h"
#include "tools-schema/contract/result.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace berth::sentinel {

/// What all loops share. It outlives them.
struct RelayParts {
    RouteTable& routes;
    HelloLimits& limits;
    DestinationLimits& destinations;
    const RelayOptions& options;
    Away* away = nullptr;  // for pools that do not answer; none, and their clients get an alert
    Tunnels* tunnels = nullptr;   // none, and hosts behind tunnels are away
    AccessLog* access = nullptr;  // none, and nothing is written
    PathReports* reports = nullptr;
};

/// Where a loop takes clients from.
struct Door {
    Fd socket;
    bool shared = false;  // with other loops, or the service manager
};

/// Closes a socket so that its peer sees a reset, as the one on the other side was.
void close_with_reset(Fd& socket) noexcept;

class Loop {
public:
    [[nodiscard]] static Result<std::unique_ptr<Loop>> make(const RelayParts& parts,
                                                            std::vector<Door> doors);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() = default;

    /// Until stop(), and then its clients are closed; or until drain(), and they have ended.
    void run();
    /// From any thread, as all below.
    void stop() noexcept;
    /// Takes no more clients but those that the kernel has taken for it alone (`queued`), and ends
    /// when there are none left.
    void drain(bool queued) noexcept;
    /// How many clients it has.
    [[nodiscard]] std::size_t open() const noexcept {
        return open_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_over() const noexcept { return over_; }
    [[nodiscard]] const Transfer& transfer() const noexcept { return transfer_; }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

private:
    // What epoll gives back: one of these numbers, which no address is, or a connection's address
    // with its side in the last bit.
    static constexpr std::uint64_t tag_stop = 0;
    static constexpr std::uint64_t tag_first_door = 1;
    static constexpr std::int64_t doors_rest_ms = 100;
    enum class Order : std::uint8_t { none, drain_queued, drain, stop };

    Loop(const RelayParts& parts, std::vector<Door> doors);
    [[nodiscard]] Result<> set_up();

    // Time and turns (loop.cpp).
    [[nodiscard]] int wait_ms();
    void take_event(std::uint64_t tag, std::uint32_t events);
    void on_event(Connection& connection, bool primary, std::uint32_t events);
    void take_turns();
    void end_late();
    void relay(Connection& connection);
    void end(Connection& connection, Count why);
    void remove(Connection& connection);
    void tell(Connection& connection, std::string_view outcome);
    void report_silence(Connection& connection);
    void abort(Connection& connection, Count why);
    void watch(Connection& connection, Side& side);
    void unwatch(Side& side) const;

    // Who comes in (loop_doors.cpp).
    void accept_some(Door& door);
    [[nodiscard]] bool turn_one_away(const Door& door);
    void rest_doors();
    void watch_doors(bool open);
    void take_order();
    void shut_doors();
    void welcome(Fd client, const KernelAddress& from);

    // Where to (loop_opening.cpp).
    void listen_to(Connection& connection, Greeting& greeting);
    void wait_for_more(Connection& connection, Greeting& greeting, std::string_view news);
    [[nodiscard]] bool take_place(const Connection& connection, HelloLimits::Place& place,
                                  std::size_t bytes);
    template <class Take>
    [[nodiscard]] bool take_room(const Connection& connection, const Take& take);
    void decide(Connection& connection, HelloState state, const Greeting& greeting,
                std::string_view all);
    void lead_to_ssh(Connection& connection, const Greeting& greeting, std::string_view all);
    void dial(Connection& connection, const Pool& pool, const Greeting& greeting,
              std::string_view all);
    void dial_through_tunnel(Connection& connection, const Pool& pool, const Greeting& greeting,
                             std::string_view all);
    [[nodiscard]] bool await_tunnel(Connection& connection, const Greeting& greeting,
                                    std::string_view all);
    void look_again(Connection& connection);
    void take_tunnel(Connection& connection, const Greeting& greeting, std::string_view said);
    void connected(Connection& connection);
    void give_up_dialling(Connection& connection, int errno_value);
    void primary_down(Connection& connection, std::string_view pool, std::string_view said,
                      int errno_value);
    void refuse(Connection& connection, Alert alert, Count why);

    const RelayParts parts_;
    std::vector<Door> doors_;
    bool doors_open_ = true;
    std::int64_t doors_rest_until_ms_ = 0;
    Fd epoll_, stop_, spare_;  // the spare is given up for a client when there is no other
    std::int64_t now_ms_ = 0;
    std::int64_t last_told_ms_ = 0;
    std::int64_t tunnels_back_ms_ = 0;  // until when tunnels are awaited
    bool stopping_ = false, draining_ = false;
    std::atomic<Order> order_ = Order::none;
    std::atomic<bool> over_ = false;
    std::atomic<std::size_t> open_ = 0;
    RouteReader reader_;
    Counters counters_;
    Transfer transfer_;
    DeadlineList hellos_, waiting_, connects_, young_, half_closed_, loans_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::unique_ptr<Connection>> ended_;  // until no event can mean them any more
    std::vector<Connection*> again_;
};

}  // namespace berth::sentinel
