// SPDX-License-Identifier: Apache-2.0
#include "sentinel/access/path_reports.h"

#include "tests/support/catch.h"

#include <cerrno>

using namespace berth::sentinel;

TEST_CASE("trouble with a host is remembered until a connection with it goes well", "[access]") {
    PathReports reports;
    reports.answered(1);
    CHECK(reports.of(1).problem == 0);
    reports.refused(1, ECONNREFUSED);
    reports.refused(2, ETIMEDOUT);
    reports.silent(1);
    reports.silent(1);
    CHECK(reports.of(1).problem == ECONNREFUSED);
    CHECK(reports.of(1).silent == 2);
    CHECK(reports.of(2).problem == ETIMEDOUT);
    reports.answered(1);
    CHECK(reports.of(1).problem == 0);
    CHECK(reports.of(1).silent == 0);
    CHECK(reports.of(2).problem == ETIMEDOUT);
}

TEST_CASE("an answer does not end trouble that came behind its question", "[access]") {
    PathReports reports;
    const auto asked = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    reports.refused(1, ECONNREFUSED);
    reports.silent(1);
    reports.answered(1, asked);
    CHECK(reports.of(1).problem == ECONNREFUSED);
    CHECK(reports.of(1).silent == 0);
}

TEST_CASE("who is off is waited for by one client a second, until it accepts one", "[access]") {
    PathReports reports;
    const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    const auto later = soon + std::chrono::seconds(1);
    CHECK(reports.known_off(1) == 0);
    reports.refused(1, ETIMEDOUT);
    CHECK(reports.known_off(1, soon) == ETIMEDOUT);
    CHECK(reports.known_off(2, soon) == 0);
    CHECK(reports.known_off(1, later) == 0);
    CHECK(reports.known_off(1, later) == ETIMEDOUT);
    reports.accepted(1);
    CHECK(reports.known_off(1, later) == 0);
    CHECK(reports.known_off(1, later) == 0);
    CHECK(reports.of(1).problem == ETIMEDOUT);  // it has not answered yet
}

TEST_CASE("who refuses is asked by every client", "[access]") {
    PathReports reports;
    reports.refused(1, ECONNREFUSED);
    CHECK(reports.known_off(1) == 0);
}

TEST_CASE("what the sentinel itself has too little of is not the host's trouble", "[access]") {
    PathReports reports;
    reports.refused(1, EADDRNOTAVAIL);
    reports.refused(1, EMFILE);
    CHECK(reports.of(1).problem == 0);
}

TEST_CASE("hosts that are gone are forgotten", "[access]") {
    PathReports reports;
    reports.silent(1);
    reports.silent(2);
    reports.keep({2, 3});
    CHECK(reports.of(1).silent == 0);
    CHECK(reports.of(2).silent == 1);
}
