// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/progress.h"

#include "tests/support/catch.h"

#include <limits>
#include <sstream>

using namespace berth;
using namespace berth::cli;
using std::chrono::milliseconds;

namespace {

constexpr Look terminal{.moves = true, .terminal = true, .columns = 60};
const std::string again = "\r\x1b[2K";  // to the begin of the line, which is erased

}  // namespace

TEST_CASE("a call that is over soon draws nothing", "[progress]") {
    ProgressLine line("container create", terminal);
    line.report({.done = 1, .total = 2});
    CHECK(line.draw(milliseconds(0)).empty());
    CHECK(line.draw(milliseconds(299)).empty());
    CHECK(line.erase().empty());
}

TEST_CASE("a known total is a bar with its percent and message", "[progress]") {
    ProgressLine line("container create", terminal);
    line.report({.done = 3, .total = 4, .message = "starting it"});
    CHECK(line.draw(milliseconds(300)) == again + "[##################......]  75%  starting it");
    line.report({.done = 4, .total = 4});
    CHECK(line.draw(milliseconds(400)) ==
          again + "[########################] 100%  container create");
}

TEST_CASE("an unknown total is a spinner with the seconds so far", "[progress]") {
    ProgressLine line("image build", terminal);
    CHECK(line.draw(milliseconds(300)) == again + "| image build  0 s");
    CHECK(line.draw(milliseconds(1999)) == again + "/ image build  1 s");
    line.report({.done = 7, .message = "unpacking"});
    CHECK(line.draw(milliseconds(61'000)) == again + "- unpacking  61 s");
}

TEST_CASE("numbers that make no sense draw no bar", "[progress]") {
    constexpr double endless = std::numeric_limits<double>::infinity();
    constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
    const auto odd = GENERATE_COPY(
        Progress{.done = 1, .total = 0.0}, Progress{.done = 1, .total = -1.0},
        Progress{.done = 1, .total = endless}, Progress{.done = nothing, .total = 2.0});
    ProgressLine line("x", terminal);
    line.report(odd);
    CHECK(line.draw(milliseconds(300)) == again + "| x  0 s");
}

TEST_CASE("more than all, and less than nothing, stay within the bar", "[progress]") {
    ProgressLine line("x", terminal);
    line.report({.done = 9, .total = 4});
    CHECK(line.draw(milliseconds(300)).contains("100%"));
    line.report({.done = -9, .total = 4});
    CHECK(line.draw(milliseconds(300)).contains("  0%"));
}

TEST_CASE("the line stays on one line and steers nothing", "[progress]") {
    ProgressLine line("x", {.moves = true, .terminal = true, .columns = 12});
    line.report({.message = "a\n\x1b[31mlong message"});
    CHECK(line.draw(milliseconds(300)) == again + "| a^J^[[31…");
}

TEST_CASE("the line is erased once, when it was drawn", "[progress]") {
    ProgressLine line("x", terminal);
    CHECK_FALSE(line.draw(milliseconds(500)).empty());
    CHECK(line.erase() == again);
    CHECK(line.erase().empty());
}

TEST_CASE("what is no terminal gets nothing", "[progress]") {
    ProgressLine line("x", {});
    CHECK(line.draw(milliseconds(5000)).empty());
    std::ostringstream err;
    {
        ProgressMeter meter("x", {}, err);
        meter.report({.done = 1});
    }
    CHECK(err.str().empty());
}

TEST_CASE("a meter leaves a clean line behind", "[progress]") {
    std::ostringstream err;
    {
        ProgressMeter meter("x", terminal, err);
        std::this_thread::sleep_for(2 * ProgressLine::quiet_time);
        meter.report({.done = 1, .total = 2});
    }
    if (!err.str().empty()) CHECK(err.str().ends_with(again));
}
