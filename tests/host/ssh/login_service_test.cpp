// SPDX-License-Identifier: Apache-2.0
// The real service on ports of this machine, with containers that do not run or are one helper.
#include "host/ssh/login_service.h"

#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/parent_of.h"
#include "tests/support/privilege.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <vector>

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

Fd connected_to(std::int64_t port) {
    Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(port);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) ==
            0);
    return client;
}

bool becomes_readable(const Fd& socket, std::chrono::milliseconds time_max) {
    pollfd polled{socket.get(), POLLIN, 0};
    return ::poll(&polled, 1, static_cast<int>(time_max.count())) > 0;
}

/// The helper of a container that runs.
pid_t helper_in(FakeEngine& engine, exec::AgentLink& agents, const std::string& id) {
    engine::Spec spec;
    spec.id = id;
    REQUIRE(engine.start(spec));
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto sleeps =
        agents.launch(id, {.argv = {"sleep", "60"}},
                      {.input = nothing.get(), .output = nothing.get(), .errors = nothing.get()});
    REQUIRE(sleeps);
    return parent_of(sleeps->supervisor());
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
        client = connected_to(port);
        CHECK(processor_time_within(500ms) < 50ms);
    }
    char byte = 0;
    CHECK(::recv(client.get(), &byte, 1, 0) ==
          0);  // it was taken, and there is nobody to log in to
}

TEST_CASE("however many containers let logins wait, those of another begin at once", "[ssh]") {
    if (!privileged()) return;
    constexpr int stopped = 20;
    FakeEngine engine;
    const auto agents = exec::AgentLink::make(engine, BERTH_AGENT).value();
    const auto service = ssh::LoginService::start(*agents).value();
    std::vector<pid_t> helpers;
    std::vector<Fd> waiting;
    for (int number = 0; number < stopped; ++number) {
        const auto id = fmt::format("hung{:06}", number);
        helpers.push_back(helper_in(engine, *agents, id));
        REQUIRE(::kill(helpers.back(), SIGSTOP) == 0);
        const auto port = free_port();
        REQUIRE(service->open(id, port));
        waiting.push_back(connected_to(port));
    }
    helpers.push_back(helper_in(engine, *agents, "abcdefghij"));
    const auto port = free_port();
    REQUIRE(service->open("abcdefghij", port));
    const Fd client = connected_to(port);
    // It is answered, be it that there is no SSH service on this machine.
    CHECK(becomes_readable(client, 5s));
    for (const auto& one : waiting) CHECK_FALSE(becomes_readable(one, 0s));
    for (const pid_t helper : helpers) CHECK(::kill(helper, SIGKILL) == 0);
}
