// SPDX-License-Identifier: Apache-2.0
// The real helper on this machine, stopped as root of a container may stop it.
#include "host/exec/agent_link.h"

#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/parent_of.h"
#include "tests/support/privilege.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>

using namespace berth;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view id = "abcdefghij";

struct Container {
    explicit Container(std::chrono::milliseconds time_max) {
        engine::Spec spec;
        spec.id = id;
        REQUIRE(engine.start(spec));
        agents = exec::AgentLink::make(engine, BERTH_AGENT, time_max).value();
    }
    Result<exec::Running> launch(std::vector<std::string> argv, int output = -1) {
        const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
        return agents->launch(id, {.argv = std::move(argv)},
                              {.input = nothing.get(),
                               .output = output < 0 ? nothing.get() : output,
                               .errors = nothing.get()});
    }

    FakeEngine engine;
    std::unique_ptr<exec::AgentLink> agents;
};

}  // namespace

TEST_CASE("a command that was told not to have started in time does not run later", "[exec]") {
    if (!privileged()) return;
    Container container(500ms);
    const auto sleeps = container.launch({"sleep", "60"});
    REQUIRE(sleeps);
    const pid_t helper = parent_of(sleeps->supervisor());
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const Fd read_end(ends[0]);
    Fd write_end(ends[1]);
    REQUIRE(::kill(helper, SIGSTOP) == 0);
    const auto late = container.launch({"echo", "ran"}, write_end.get());
    CHECK(late.error().code == ErrorCode::timed_out);
    write_end.reset();
    REQUIRE(::kill(helper, SIGCONT) == 0);
    char byte = 0;
    CHECK(::read(read_end.get(), &byte, 1) == 0);  // until nobody has the other end
    CHECK(container.launch({"true"}));
}

TEST_CASE("a helper that takes no more commands keeps nobody, and another takes its place",
          "[exec]") {
    if (!privileged()) return;
    constexpr int commands_max = 1000;  // more than any socket's buffer holds
    Container container(20ms);
    auto sleeps = container.launch({"sleep", "60"});
    for (int attempt = 0; !sleeps && attempt < commands_max; ++attempt)
        sleeps = container.launch({"sleep", "60"});
    REQUIRE(sleeps);
    const pid_t helper = parent_of(sleeps->supervisor());
    REQUIRE(::kill(helper, SIGSTOP) == 0);
    std::optional<ErrorCode> last;
    for (int sent = 0; last != ErrorCode::unavailable && sent < commands_max; ++sent)
        last = container.launch({"true"}).error().code;
    CHECK(last == ErrorCode::unavailable);
    auto after = container.launch({"sleep", "60"});
    for (int attempt = 0; !after && attempt < commands_max; ++attempt)
        after = container.launch({"sleep", "60"});
    REQUIRE(after);
    CHECK(parent_of(after->supervisor()) != helper);
    REQUIRE(::kill(helper, SIGCONT) == 0);  // and it ends, as its connection has
}
