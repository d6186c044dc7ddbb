// SPDX-License-Identifier: Apache-2.0
// Agrees on TLS with hosts that come and hears who they are, on a thread of its own: what that
// costs is not taken from connections of pools, and a registration that waits for the disk lets
// only those wait who come too.
#pragma once

#include "base/fd.h"
#include "base/socket_address.h"
#include "sentinel/relay/deadline_list.h"
#include "tunnel/carry/channel.h"
#include "tunnel/hello.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
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

class TunnelGreeter {
public:
    static constexpr std::size_t guests_max = 1'024;
    static constexpr std::int64_t hello_ms_max = 10'000;  // from its connection to its hello

    /// Says why a hello is refused, or takes the caller's socket and channel, and answers.
    using Hear = std::function<Result<>(Caller, const tunnel::Hello&)>;

    [[nodiscard]] static Result<std::unique_ptr<TunnelGreeter>> start(
        const tunnel::OwnCertificate& own, Hear hear);
    TunnelGreeter(const TunnelGreeter&) = delete;
    TunnelGreeter& operator=(const TunnelGreeter&) = delete;
    ~TunnelGreeter();

    /// Who comes from now on sees the certificate that the files have now.
    [[nodiscard]] Result<> reload();
    /// False when there is no place.
    [[nodiscard]] bool take(Fd& host, const SocketAddress& from, std::string_view said);

private:
    struct Guest : Timed {
        Guest(Fd connection, SocketAddress where, tunnel::Channel how, bool old)
            : socket(std::move(connection)),
              from(where),
              channel(std::move(how)),
              containarium(old) {}
        Fd socket;
        SocketAddress from;
        tunnel::Channel channel;
        bool containarium;
        std::string heard = {};
        bool refused = false;
    };

    TunnelGreeter(const tunnel::OwnCertificate& own, Hear hear)
        : own_(own), hear_(std::move(hear)) {}
    void run();
    void welcome_new();
    [[nodiscard]] bool watch(const Guest& guest) const;
    [[nodiscard]] bool serve(Guest& guest);
    [[nodiscard]] bool hear(Guest& guest);
    [[nodiscard]] static bool send_output(Guest& guest);

    const tunnel::OwnCertificate own_;
    const Hear hear_;
    std::mutex mutex_;  // of the next three
    std::shared_ptr<tunnel::TlsContext> context_;
    std::vector<std::unique_ptr<Guest>> arrived_;
    bool stopping_ = false;
    std::atomic<std::size_t> count_ = 0;
    Fd epoll_, wake_;
    std::map<int, std::unique_ptr<Guest>> guests_;  // by descriptor; of the thread alone
    DeadlineList deadlines_ = DeadlineList(hello_ms_max);
    std::thread thread_;
};

}  // namespace berth::sentinel
