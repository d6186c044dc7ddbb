// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/terminal.h"

#include "base/fd.h"
#include "tests/support/catch.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>

using namespace berth;
using namespace berth::cli;

namespace {

constexpr Device terminal{.terminal = true, .columns = 80};
constexpr Device file{};

bool colours(const Device& device, ColourChoice choice, const TerminalVariables& variables = {}) {
    return look_of(device, choice, variables).colour;
}

}  // namespace

TEST_CASE("colours are for terminals whose owner wants them", "[terminal]") {
    CHECK(colours(terminal, ColourChoice::automatic));
    CHECK_FALSE(colours(file, ColourChoice::automatic));
    CHECK_FALSE(colours(terminal, ColourChoice::automatic, {.no_color = true}));
    CHECK_FALSE(colours(terminal, ColourChoice::automatic, {.dumb = true}));
    CHECK_FALSE(colours(terminal, ColourChoice::never));
    CHECK(colours(file, ColourChoice::always));
    CHECK(colours(terminal, ColourChoice::always, {.no_color = true}));
}

TEST_CASE("only a terminal that can move its cursor gets a line drawn again", "[terminal]") {
    CHECK(look_of(terminal, ColourChoice::never, {}).moves);
    CHECK_FALSE(look_of(terminal, ColourChoice::always, {.dumb = true}).moves);
    CHECK_FALSE(look_of(file, ColourChoice::always, {}).moves);
}

TEST_CASE("only a terminal bounds the width of lines", "[terminal]") {
    CHECK(look_of(terminal, ColourChoice::automatic, {}).columns == 80);
    CHECK(look_of(file, ColourChoice::always, {}).columns == 0);
}

TEST_CASE("the kernel says what a descriptor is and how wide", "[terminal]") {
    int controller = -1;
    int end = -1;
    winsize size{.ws_row = 24, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
    REQUIRE(::openpty(&controller, &end, nullptr, nullptr, &size) == 0);
    const Fd keep(controller);
    const Fd tty(end);
    CHECK(device_of(tty.get()).terminal);
    CHECK(device_of(tty.get()).columns == 132);
    size.ws_col = 0;
    REQUIRE(::ioctl(tty.get(), TIOCSWINSZ, &size) == 0);
    CHECK(device_of(tty.get()).columns == 80);
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    CHECK_FALSE(device_of(null.get()).terminal);
}

TEST_CASE("states have the colours that people expect", "[terminal]") {
    const Look look{.colour = true};
    CHECK(painted("running", style_of("state", "running"), look) == "\x1b[32mrunning\x1b[0m");
    CHECK(painted("stopped", style_of("state", "stopped"), look) == "\x1b[33mstopped\x1b[0m");
    CHECK(painted("failed", style_of("state", "failed"), look) == "\x1b[31mfailed\x1b[0m");
    CHECK(painted("error", style_of("severity", "error"), look) == "\x1b[31merror\x1b[0m");
    CHECK(style_of("name", "running") == Style::plain);
    CHECK(painted("running", Style::good, {}) == "running");
}
