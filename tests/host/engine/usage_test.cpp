// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/usage.h"

#include "tests/support/catch.h"

using namespace berth::engine;

TEST_CASE("kills are counted from either hierarchy's file", "[engine]") {
    CHECK(count_of("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill") == 3);
    CHECK(count_of("low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n", "oom_kill") == 2);
    CHECK(count_of("", "oom_kill") == 0);
    CHECK(count_of("oom_kill", "oom_kill") == 0);
}

TEST_CASE("bytes of all disks are added up, from either hierarchy's file", "[engine]") {
    CHECK(disk_bytes_of("254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 1\n254:0 Total 9\n7:1 Read "
                        "4\nTotal 12288\n") == std::pair<std::int64_t, std::int64_t>(4100, 8192));
    CHECK(disk_bytes_of("254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:0 rbytes=1 "
                        "wbytes=2\n") == std::pair<std::int64_t, std::int64_t>(11, 22));
    CHECK(disk_bytes_of("") == std::pair<std::int64_t, std::int64_t>(0, 0));
}

TEST_CASE("pressure is the time that some process waited", "[engine]") {
    CHECK(waited_us("some avg10=0.00 avg60=0.00 avg300=0.00 total=3065\nfull avg10=0.00 avg60=0.00 "
                    "avg300=0.00 total=249\n") == 3065);
    CHECK_FALSE(waited_us(""));
    CHECK_FALSE(waited_us("some\n"));
}
