// SPDX-License-Identifier: Apache-2.0
#include "base/keepalive.h"

#include "tests/support/catch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace berth;

namespace {

int option(const Fd& socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(socket.get(), level, name, &value, &size) == 0);
    return value;
}

}  // namespace

TEST_CASE("a dead peer is noticed after three minutes, and one that does not read is not dead",
          "[keepalive]") {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(keep_alive(socket));
    CHECK(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) +
              option(socket, IPPROTO_TCP, TCP_KEEPINTVL) *
                  option(socket, IPPROTO_TCP, TCP_KEEPCNT) ==
          180);
    CHECK(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
}

TEST_CASE("what has no such option is an error that names it", "[keepalive]") {
    const auto done = keep_alive(Fd());
    REQUIRE_FALSE(done);
    CHECK(done.error().message.find("SO_KEEPALIVE") != std::string::npos);
}
