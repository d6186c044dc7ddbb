// SPDX-License-Identifier: Apache-2.0
#include "base/turns.h"

#include "tests/support/catch.h"

#include <sys/resource.h>
#include <unistd.h>

#include <thread>

namespace {

int nice_of_this_thread() {
    return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
}

TEST_CASE("a thread that answers goes before others, and nobody else with it", "[base]") {
    const int before = nice_of_this_thread();
    std::thread([] {
        berth::go_first();
        if (::geteuid() == 0) CHECK(nice_of_this_thread() == -10);
        berth::go_in_turn();
        CHECK(nice_of_this_thread() == 0);
    }).join();
    CHECK(nice_of_this_thread() == before);
}

}  // namespace
