// SPDX-License-Identifier: Apache-2.0
#include "base/turns.h"

#include <sys/resource.h>
#include <unistd.h>

namespace berth {
namespace {

constexpr int nice_of_those_who_answer = -10;  // about ten times the weight of an ordinary thread

// Linux has a nice value for each thread (sched(7)), and takes a thread's id here.
void set_nice(int value) noexcept {
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), value);
}

}  // namespace

void go_first() noexcept {
    set_nice(nice_of_those_who_answer);
}

void go_last() noexcept {
    constexpr int nice_of_what_can_wait = 10;
    set_nice(nice_of_what_can_wait);
}

void go_in_turn() noexcept {
    set_nice(0);
}

}  // namespace berth
