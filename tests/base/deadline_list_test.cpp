// SPDX-License-Identifier: Apache-2.0
#include "base/deadline_list.h"

#include "tests/support/catch.h"

using berth::DeadlineList;
using berth::Timed;

TEST_CASE("what came first is due first, and what has left is not due", "[deadline]") {
    DeadlineList list(100);
    Timed a, b;
    CHECK(list.due_ms(-1) == -1);
    list.add(a, 0);
    list.add(b, 50);
    CHECK(list.due_ms(-1) == 100);
    CHECK(list.first_due(99) == nullptr);
    CHECK(list.first_due(100) == &a);
    a.leave();
    CHECK_FALSE(a.is_waiting());
    CHECK(list.first_due(149) == nullptr);
    CHECK(list.first_due(150) == &b);
}

TEST_CASE("what is added again goes to the end, also from another list", "[deadline]") {
    DeadlineList one(100), other(10);
    Timed a, b;
    one.add(a, 0);
    one.add(b, 0);
    one.add(a, 5);
    CHECK(one.first() == &b);
    other.add(b, 5);
    CHECK(one.first() == &a);
    CHECK(other.first_due(15) == &b);
}

TEST_CASE("what is destroyed is in no list any more", "[deadline]") {
    DeadlineList list(100);
    {
        Timed short_lived;
        list.add(short_lived, 0);
    }
    CHECK(list.first() == nullptr);
}
