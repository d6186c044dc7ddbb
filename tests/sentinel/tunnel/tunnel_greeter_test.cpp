// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tunnel/tunnel_greeter.h"

#include "tests/support/catch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <future>
#include <string>
#include <string_view>
#include <utility>

using namespace berth;
using namespace berth::sentinel;

namespace {

/// A TCP connection: what a host has of it, and what a greeter is given.
struct Ends {
    Fd host, greeted;

    Ends() {
        const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(listener.get(), any, size) == 0);
        REQUIRE(::listen(listener.get(), 1) == 0);
        REQUIRE(::getsockname(listener.get(), any, &size) == 0);
        host = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(host.get(), any, size) == 0);
        greeted = Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        REQUIRE(greeted);
    }
    void say(std::string_view text) const {
        REQUIRE(::send(host.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    /// As much as the two sockets hold.
    std::size_t say_all_there_is_room_for() const {
        const std::string piece(65536, 'x');
        std::size_t sent = 0;
        for (ssize_t some = 0; (some = ::send(host.get(), piece.data(), piece.size(),
                                              MSG_NOSIGNAL | MSG_DONTWAIT)) > 0;) {
            sent += static_cast<std::size_t>(some);
        }
        return sent;
    }
    /// Of what the host has said, what the other side has no room for yet.
    int unsent() const {
        int bytes = -1;
        REQUIRE(::ioctl(host.get(), SIOCOUTQ, &bytes) == 0);
        return bytes;
    }
};

std::string hello_of(std::string_view name) {
    return R"({"spot_id":")" + std::string(name) + R"(","ports":[1]})" + "\n";
}

}  // namespace

TEST_CASE("who goes on talking has a turn like the others", "[tunnel]") {
    Ends talker, waiting, busy;
    std::promise<void> reached, release;
    std::promise<int> heard;
    // Where the greeter calls this, it is between two turns.
    const auto hear = [&](const Caller&, const tunnel::Hello& hello) -> Result<tunnel::SessionId> {
        if (hello.host == "busy") {
            reached.set_value();
            release.get_future().wait();
        } else {
            heard.set_value(talker.unsent());
        }
        return fail(ErrorCode::denied, "not you");
    };
    const auto greeter = TunnelGreeter::start({}, {}, nullptr, hear).value();
    const auto from = SocketAddress::parse("192.0.2.1:1").value();
    REQUIRE(greeter->take(talker.greeted, from, "{}\n"));  // and is refused
    std::string answer(100, '\0');
    REQUIRE(::recv(talker.host.get(), answer.data(), answer.size(), 0) > 0);
    REQUIRE(greeter->take(waiting.greeted, from, "{"));
    REQUIRE(greeter->take(busy.greeted, from, hello_of("busy")));
    reached.get_future().wait();
    CHECK(talker.say_all_there_is_room_for() > 1'000'000);
    waiting.say(hello_of("waiting").substr(1));
    release.set_value();
    CHECK(heard.get_future().get() > 0);
}
