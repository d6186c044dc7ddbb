// SPDX-License-Identifier: Apache-2.0
// Both ends of a TLS router's benchmark, one thread each: the pool's primary, and clients of it.
// What is said begins with a ClientHello; behind it the bytes are no TLS, since no router reads
// them.
//
//     sentinel_load serve RATE_PORT ECHO_PORT BULK_PORT
//     sentinel_load rate|echo|bulk|idle PORT NAME SECONDS CONNECTIONS
#include "base/fd.h"
#include "tests/sentinel/tls/hello_bytes.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using berth::Fd;
using Clock = std::chrono::steady_clock;

constexpr std::size_t hello_bytes = 517;  // what browsers pad to
constexpr std::size_t reply_bytes = 64;
constexpr std::size_t chunk_bytes = std::size_t{256} * 1024;

std::string hello_for(std::string_view name) {
    berth::sentinel::HelloBytes how{.name = name, .key_share_bytes = 0};
    how.key_share_bytes = hello_bytes - berth::sentinel::hello(how).size();
    return berth::sentinel::hello(how);
}

struct Peer {
    Fd socket;
    char kind = 0;
    std::size_t got = 0;  // since the last answer was whole
    Clock::time_point begun;
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

void watch(const Fd& epoll, Peer& peer, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.ptr = &peer}};
    (void)::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, peer.socket.get(), &event);
}

void no_delay(const Fd& socket) {
    constexpr int on = 1;
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// --- the primary

/// Answers what has come; false when the client has ended.
bool serve_once(Peer& peer, std::vector<char>& buffer) {
    const ssize_t got = ::recv(peer.socket.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    const std::size_t before = peer.got;
    peer.got += static_cast<std::size_t>(got);
    if (peer.got < hello_bytes) return true;
    const bool hello_now = before < hello_bytes;
    if (peer.kind == 'r' && hello_now) {
        (void)::send(peer.socket.get(), buffer.data(), reply_bytes, MSG_NOSIGNAL);
    } else if (peer.kind == 'e') {
        const std::size_t echoed = hello_now ? reply_bytes : static_cast<std::size_t>(got);
        (void)::send(peer.socket.get(), buffer.data(), echoed, MSG_NOSIGNAL);
    }
    return true;
}

[[noreturn]] void serve(const std::array<std::uint16_t, 3>& ports) {
    const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    std::vector<std::unique_ptr<Peer>> listeners;
    for (std::size_t at = 0; at < ports.size(); ++at) {
        auto listener = std::make_unique<Peer>();
        listener->socket = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        listener->kind = "REB"[at];
        constexpr int on = 1;
        (void)::setsockopt(listener->socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        const auto address = loopback(ports[at]);
        if (::bind(listener->socket.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof address) != 0 ||
            ::listen(listener->socket.get(), 4096) != 0) {
            std::exit(1);
        }
        watch(epoll, *listener, EPOLLIN);
        listeners.push_back(std::move(listener));
    }
    std::vector<char> buffer(chunk_bytes);
    std::array<epoll_event, 256> events{};
    while (true) {
        const int count = ::epoll_wait(epoll.get(), events.data(), events.size(), -1);
        for (int at = 0; at < count; ++at) {
            auto& peer = *static_cast<Peer*>(events[static_cast<std::size_t>(at)].data.ptr);
            if (peer.kind >= 'A' && peer.kind <= 'Z') {
                auto accepted = std::make_unique<Peer>();
                accepted->socket = Fd(
                    ::accept4(peer.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
                if (!accepted->socket) continue;
                no_delay(accepted->socket);
                accepted->kind = static_cast<char>(peer.kind - 'A' + 'a');
                const bool bulk = accepted->kind == 'b';
                watch(epoll, *accepted, bulk ? EPOLLIN | EPOLLOUT : EPOLLIN);
                (void)accepted.release();
                continue;
            }
            bool alive = serve_once(peer, buffer);
            if (alive && peer.kind == 'b' && peer.got >= hello_bytes) {
                const ssize_t sent =
                    ::send(peer.socket.get(), buffer.data(), buffer.size(), MSG_NOSIGNAL);
                alive = sent >= 0 || errno == EAGAIN;
            }
            if (!alive) delete &peer;
        }
    }
}

// --- the clients

class Clients {
public:
    Clients(char kind, std::uint16_t port, std::string_view name)
        : kind_(kind), address_(loopback(port)), hello_(hello_for(name)) {}

    void run(double seconds, std::size_t connections) {
        std::vector<std::unique_ptr<Peer>> peers;
        for (std::size_t at = 0; at < connections; ++at) {
            peers.push_back(std::make_unique<Peer>());
            connect(*peers.back());
        }
        const auto begun = Clock::now();
        const auto end = begun + std::chrono::duration<double>(seconds);
        std::vector<char> buffer(chunk_bytes);
        std::array<epoll_event, 256> events{};
        while (Clock::now() < end) {
            const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), 100);
            for (int at = 0; at < count; ++at) {
                take(*static_cast<Peer*>(events[static_cast<std::size_t>(at)].data.ptr), buffer);
            }
        }
        tell(std::chrono::duration<double>(Clock::now() - begun).count());
    }

private:
    void connect(Peer& peer) {
        peer.socket = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        no_delay(peer.socket);
        peer.begun = Clock::now();
        peer.got = 0;
        (void)::connect(peer.socket.get(), reinterpret_cast<const sockaddr*>(&address_),
                        sizeof address_);
        if (::send(peer.socket.get(), hello_.data(), hello_.size(), MSG_NOSIGNAL) < 0) ++errors_;
        watch(epoll_, peer, EPOLLIN);
    }

    void take(Peer& peer, std::vector<char>& buffer) {
        const int flags = kind_ == 'b' ? MSG_TRUNC : 0;  // bulk is counted and not copied
        const ssize_t got = ::recv(peer.socket.get(), buffer.data(), buffer.size(), flags);
        if (got <= 0) {
            if (got < 0 && errno == EAGAIN) return;
            ++errors_;
            connect(peer);
            return;
        }
        bytes_ += static_cast<std::uint64_t>(got);
        peer.got += static_cast<std::size_t>(got);
        if (kind_ == 'b' || peer.got < reply_bytes) return;
        const auto now = Clock::now();
        times_us_.push_back(std::chrono::duration<double, std::micro>(now - peer.begun).count());
        peer.got = 0;
        if (kind_ == 'r') {
            connect(peer);  // closes the one there was
        } else if (kind_ == 'e') {
            peer.begun = now;
            (void)::send(peer.socket.get(), buffer.data(), reply_bytes, MSG_NOSIGNAL);
        }
    }

    void tell(double seconds) {
        std::ranges::sort(times_us_);
        const auto at = [&](double share) {
            return times_us_.empty() ? 0.0
                                     : times_us_[static_cast<std::size_t>(
                                           share * static_cast<double>(times_us_.size() - 1))];
        };
        fmt::print(
            "{{\"count\":{},\"bytes\":{},\"errors\":{},\"seconds\":{:.6f},\"p50_us\":{:.2f},\"p99_"
            "us\":{:.2f}}}\n",
            times_us_.size(), bytes_, errors_, seconds, at(0.5), at(0.99));
    }

    const Fd epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    const char kind_;
    const sockaddr_in address_;
    const std::string hello_;
    std::vector<double> times_us_;
    std::uint64_t bytes_ = 0;
    std::uint64_t errors_ = 0;
};

std::uint16_t port_of(const char* text) {
    return static_cast<std::uint16_t>(std::strtoul(text, nullptr, 10));
}

}  // namespace

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "serve" && argc == 5) serve({port_of(argv[2]), port_of(argv[3]), port_of(argv[4])});
    if (argc != 6) return 2;
    Clients clients(mode[0], port_of(argv[2]), argv[3]);
    clients.run(std::strtod(argv[4], nullptr), std::strtoul(argv[5], nullptr, 10));
    return 0;
}
