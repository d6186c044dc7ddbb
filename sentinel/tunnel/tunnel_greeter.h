// SPDX-License-Identifier: Apache-2.0
// Agrees on TLS with hosts that come and hears who they are, on a thread of its own: what that
// costs is not taken from connections of pools, and a registration that waits for the disk lets
// only those wait who come too.
#pragma once

#include "base/deadline_list.h"
#include "base/fd.h"
#include "base/socket_address.h"
#include "sentinel/access/access_log.h"
#include "sentinel/relay/hello_limits.h"
#include "sentinel/tunnel/hello_outcomes.h"
#include "tunnel/carry/carrier.h"
#include "tunnel/carry/channel.h"
#include "tunnel/hello.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace berth::sentinel {

/// A host that has said its hello.
struct Caller {
    Fd& socket;
    tunnel::Channel& channel;
    const SocketAddress& from;
    std::string_view early;     // that it said behind it
    bool containarium = false;  // it has come in clear
};

/// How many hosts may be about to say their hello.
struct GreeterLimits {
    std::size_t in_all = 1'024;       // the oldest makes room, if it has had time
    std::size_t from_a_source = 128;  // an IPv4 /24 or an IPv6 /56; one more is refused
};

class TunnelGreeter {
public:
    static constexpr std::int64_t hello_ms_max = 10'000;  // from its connection to its hello
    /// So long nobody is crowded out, or many honest hosts that come at once, as after a restart,
    /// would push each other out before any of them is heard.
    static constexpr std::int64_t crowded_out_ms_min = 500;

    /// Reads in one turn, so that nobody who keeps talking keeps the thread from the others.
    static constexpr int reads_per_turn = 16;

    /// Says why a hello is refused, or takes the caller's socket and channel, answers, and says
    /// which session it is.
    using Hear = std::function<Result<tunnel::SessionId>(Caller, const tunnel::Hello&)>;

    [[nodiscard]] static Result<std::unique_ptr<TunnelGreeter>> start(
        const tunnel::OwnCertificate& own, const GreeterLimits& limits, AccessLog* access,
        Hear hear);
    TunnelGreeter(const TunnelGreeter&) = delete;
    TunnelGreeter& operator=(const TunnelGreeter&) = delete;
    ~TunnelGreeter();

    /// Who comes from now on sees the certificate that the files have now.
    [[nodiscard]] Result<> reload();
    /// False when there is no place. Any thread may call it.
    [[nodiscard]] bool take(Fd& host, const SocketAddress& from, std::string_view said);
    /// Nobody is heard any more, and nobody new is taken.
    void stop();
    [[nodiscard]] HelloOutcomes& outcomes() { return outcomes_; }

private:
    struct Guest : Timed {
        Guest(Fd connection, SocketAddress where, tunnel::Channel how, bool old)
            : socket(std::move(connection)),
              from(where),
              channel(std::move(how)),
              containarium(old) {}
        HelloLimits::Place place = {};
        Fd socket;
        SocketAddress from;
        tunnel::Channel channel;
        bool containarium;
        std::string heard = {};
        std::int64_t begun_ms = 0;
        bool refused = false;
    };

    TunnelGreeter(const tunnel::OwnCertificate& own, const GreeterLimits& limits, AccessLog* access,
                  Hear hear);
    void run();
    void end_late();
    void welcome_new();
    [[nodiscard]] bool make_room(Guest& guest);
    void end(Timed& guest, HelloOutcome why);
    void conclude(const Guest& guest, HelloOutcome how, const std::string& pool = "",
                  std::optional<tunnel::SessionId> session = {});
    [[nodiscard]] bool watch(const Guest& guest, bool again = false) const;
    void tell_refusal(const Guest& guest, const Error& why);
    [[nodiscard]] bool serve(Guest& guest);
    [[nodiscard]] bool hear(Guest& guest);
    [[nodiscard]] static bool send_output(Guest& guest);

    const tunnel::OwnCertificate own_;
    AccessLog* const access_;
    const Hear hear_;
    const std::size_t arrivals_max_;
    HelloLimits limits_;
    HelloOutcomes outcomes_;
    std::mutex mutex_;  // of the next three
    std::shared_ptr<tunnel::TlsContext> context_;
    std::vector<std::unique_ptr<Guest>> arrived_;
    bool stopping_ = false;
    Fd epoll_, wake_;
    std::map<int, std::unique_ptr<Guest>> guests_;  // by descriptor; of the thread alone
    std::int64_t told_ms_ = 0;                      // when a refusal was last logged
    DeadlineList deadlines_ = DeadlineList(hello_ms_max);
    std::thread thread_;
};

}  // namespace berth::sentinel
