// SPDX-License-Identifier: Apache-2.0
#include "host/container/oom_log.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth::container;

namespace {

std::string record(const std::string& process, const std::string& prefix = "3,901,4007198529,-;",
                   const std::string& what = "Memory cgroup out of memory") {
    return prefix + what + ": Killed process 22216 (" + process +
           ") total-vm:104456kB, anon-rss:29056kB, file-rss:6880kB, shmem-rss:0kB, UID:1065536 "
           "pgtables:128kB oom_score_adj:0\n SUBSYSTEM=x\n";
}

}  // namespace

TEST_CASE("a kill for want of memory is told by name, user and cause", "[oom]") {
    const auto kill = oom_kill_of(record("python3"));
    REQUIRE(kill);
    CHECK(kill->process == "python3");
    CHECK(kill->uid == 1065536);
    CHECK(kill->of_own_limit);
    CHECK_FALSE(oom_kill_of(record("x", "3,1,2,-;", "Out of memory"))->of_own_limit);
}

TEST_CASE("a record's place in the log is its number and its time", "[oom]") {
    const auto place = log_place_of(record("python3"));
    REQUIRE(place);
    CHECK(place->sequence == 901);
    CHECK(place->since_boot == std::chrono::microseconds(4007198529));
    for (const auto* wrong : {"", "3", "3,", "3,x,1,-;a", "3,1", "3,1;a", "3,1,x,-;a",
                              "3,99999999999999999999999,1,-;a"}) {
        CAPTURE(wrong);
        CHECK_FALSE(log_place_of(wrong));
    }
}

TEST_CASE("a process' name cannot pretend to be of another user", "[oom]") {
    const auto* name = GENERATE("a) total-vm:1kB", ", UID:0 x", ") total-vm: UID", "a b (c)", "");
    CAPTURE(name);
    const auto kill = oom_kill_of(record(name));
    REQUIRE(kill);
    CHECK(kill->process == name);
    CHECK(kill->uid == 1065536);
}

TEST_CASE("what is no such record of the kernel's is none", "[oom]") {
    CHECK_FALSE(oom_kill_of(record("python3", "11,1,2,-;")));  // written by a process of the host
    CHECK_FALSE(oom_kill_of(record("python3", "")));
    CHECK_FALSE(oom_kill_of(record("python3", "3,1,2,-;", "it says: Out of memory")));
    CHECK_FALSE(oom_kill_of(record(std::string(200, 'x'))));
    const auto whole = record("python3");
    for (std::size_t length = 0; length < whole.find("UID:1") + 4; ++length) {
        CAPTURE(length);
        REQUIRE_FALSE(oom_kill_of(whole.substr(0, length)));
    }
}
