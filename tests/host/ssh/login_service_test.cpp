// SPDX-License-Identifier: Apache-2.0
// The real service on a port of this machine, with a container that does not run.
#include "host/ssh/login_service.h"

#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/no_descriptors.h"

#include <arpa/inet.h>
#include <sys/socket.h>

using namespace berth;
using namespace std::chrono_literals;

namespace {

sockaddr_in loopback(std::int64_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

std::int64_t free_port() {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket.get(), any, size) == 0);
    REQUIRE(::getsockname(socket.get(), any, &size) == 0);
    return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("without a descriptor for a login the service waits until there is one", "[ssh]") {
    FakeEngine engine;
    const auto agents = exec::AgentLink::make(engine, BERTH_AGENT).value();
    const auto service = ssh::LoginService::start(*agents).value();
    const auto port = free_port();
    REQUIRE(service->open("abcdefghij", port));
    Fd client;
    {
        NoDescriptors none;
        none.give_one_back();
        client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto address = loopback(port);
        REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)) == 0);
        CHECK(processor_time_within(500ms) < 50ms);
    }
    char byte = 0;
    CHECK(::recv(client.get(), &byte, 1, 0) ==
          0);  // it was taken, and there is nobody to log in to
}
