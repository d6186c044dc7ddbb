// SPDX-License-Identifier: Apache-2.0
// Keeps a tunnel open from this machine to a sentinel, for as long as it lives, and connects what
// comes through it to addresses that it was told of, and to no others.
#pragma once

#include "base/fd.h"
#include "base/socket_address.h"
#include "tunnel/carry/backoff.h"
#include "tunnel/carry/carrier.h"
#include "tunnel/hello.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

namespace berth::tunnel {

struct DialerOptions {
    std::string host;  // of the sentinel: a name or an address
    std::uint16_t port = 443;
    std::string server_name = {};  // that its certificate must have; "": `host`
    std::filesystem::path authorities = {};
    OwnCertificate certificate = {};
    std::filesystem::path token_file = {};  // read again for each session; "": a certificate alone
    Hello hello = {};                       // without token and ports
    std::map<std::uint16_t, SocketAddress> targets = {};  // by the ports of the hello
    /// For each of: to connect, to agree on TLS, to be answered.
    std::chrono::milliseconds step_wait_max{10'000};
    CarrierLimits limits = {};
};

/// What became of the tunnel. All that come with an error are tried again, and `wait` is when.
struct DialerNews {
    enum class Kind : std::uint8_t {
        joined,   // a request through the sentinel and this tunnel has come back
        unheard,  // there is a session, and no request comes back
        lost,     // the session is over
        failed,   // there is none
        open,     // there is a session, and no hostname to ask for
    };
    Kind kind = Kind::joined;
    std::optional<Error> why = {};
    std::chrono::milliseconds wait = {};
};

class Dialer {
public:
    /// `told` is called from a thread of the dialer's, one news after the other.
    [[nodiscard]] static Result<std::unique_ptr<Dialer>> start(
        DialerOptions options, std::function<void(const DialerNews&)> told);
    Dialer(const Dialer&) = delete;
    Dialer& operator=(const Dialer&) = delete;
    ~Dialer();

    [[nodiscard]] std::size_t streams() const { return carrier_->streams(); }

private:
    Dialer(DialerOptions options, std::function<void(const DialerNews&)> told);
    [[nodiscard]] Result<> set_up();
    void run();
    [[nodiscard]] Result<Established> dial();
    [[nodiscard]] Result<Fd> connect();
    [[nodiscard]] Result<> say_hello(const Fd& socket, Channel& tls, std::string& early);
    [[nodiscard]] Result<> exchange(const Fd& socket, Channel& tls, std::string& plain,
                                    const std::function<Result<bool>()>& done);
    [[nodiscard]] Result<> wait_for(const Fd& socket, short events,
                                    std::chrono::steady_clock::time_point until);
    [[nodiscard]] Result<> ask_front();
    void attend();
    [[nodiscard]] bool pause(std::chrono::milliseconds time);
    [[nodiscard]] std::chrono::milliseconds next_wait(const Error& why);

    const DialerOptions options_;
    const std::function<void(const DialerNews&)> told_;
    std::shared_ptr<TlsContext> context_;
    Fd stop_;
    std::mutex mutex_;  // of the next six
    std::condition_variable changed_;
    std::optional<Error> ended_;  // the session that counts
    bool leaving_ = false;
    bool stopping_ = false;
    SessionId current_ = 0;
    std::string asked_;                   // what is random in the last request for our name
    bool carried_ = false;                // a stream of the session began with it
    std::optional<SocketAddress> front_;  // where the sentinel was reached
    Backoff backoff_{std::random_device()()};
    std::unique_ptr<Carrier> carrier_;
    std::thread thread_;
};

}  // namespace berth::tunnel
