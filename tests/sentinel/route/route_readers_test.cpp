// SPDX-License-Identifier: Apache-2.0
// Readers beside the writer. What these cases show, they show best under the sanitizers.
#include "sentinel/route/route_table.h"
#include "tests/support/catch.h"

#include <fmt/format.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace berth;
using namespace berth::sentinel;

namespace {

Pool pool(const std::string& name) {
    return {.name = name, .primary = SocketAddress::of("\x7f\0\0\1", 443)};
}

}  // namespace

TEST_CASE("what a reader has found stays while it looks", "[route]") {
    RouteTable table;
    const auto pattern = RoutePattern::parse("ada.example").value();
    REQUIRE(table.add(pattern, pool("a pool whose name is long enough to be on the heap")));
    RouteReader reader(table);
    const RouteReader::Look look(reader);
    const Pool* const found = look.find("ada.example");
    REQUIRE(found != nullptr);
    REQUIRE(table.remove(pattern));
    REQUIRE(table.replace({.pools = {pool("b")}, .routes = {{"ada.example", 0}}}));
    CHECK(found->name == "a pool whose name is long enough to be on the heap");
    CHECK(look.find("ada.example") == nullptr);  // of the generation in which the look began
}

TEST_CASE("readers see each name with its pool or not at all, whatever is written meanwhile",
          "[route]") {
    RouteTable table;
    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0;
    std::atomic<int> looks = 0;
    std::vector<std::thread> readers;
    for (int thread = 0; thread < 3; ++thread) {
        readers.emplace_back([&] {
            RouteReader reader(table);
            while (!done) {
                const RouteReader::Look look(reader);
                for (int number = 0; number < 50; ++number) {
                    const Pool* const found = look.find(fmt::format("n{}.example", number));
                    if (found != nullptr && found->name != fmt::format("pool{}", number)) ++wrong;
                }
                ++looks;
            }
        });
    }
    for (int round = 0; round < 40 || looks < 100; ++round) {
        for (int number = 0; number < 50; ++number) {
            const auto pattern = RoutePattern::parse(fmt::format("n{}.example", number)).value();
            if (!table.add(pattern, pool(fmt::format("pool{}", number)))) ++wrong;
        }
        if (round % 2 == 0) {
            if (!table.replace({})) ++wrong;
            continue;
        }
        for (int number = 0; number < 50; ++number) {
            const auto pattern = RoutePattern::parse(fmt::format("n{}.example", number)).value();
            if (!table.remove(pattern)) ++wrong;
        }
    }
    done = true;
    for (auto& thread : readers) thread.join();
    CHECK(wrong == 0);
    CHECK(table.count() == 0);
}

TEST_CASE("how much there is may be asked by who is no reader, while all of it is replaced",
          "[route]") {
    RouteTable table;
    const std::size_t bytes_min = table.bytes();
    const RouteList two{.pools = {pool("a")}, .routes = {{"x.example", 0}, {"y.example", 0}}};
    std::atomic<bool> done = false, wrong = false;
    std::atomic<int> asked = 0;
    std::thread thread([&] {
        while (!done) {
            if (table.count() > 2 || table.bytes() < bytes_min) wrong = true;
            ++asked;
        }
    });
    for (int round = 0; round < 50 || asked < 1000; ++round) {
        if (!table.replace(round % 2 == 0 ? two : RouteList())) wrong = true;
    }
    done = true;
    thread.join();
    CHECK_FALSE(wrong);
    REQUIRE(table.replace(two));
    CHECK(table.count() == 2);
    CHECK(table.bytes() > bytes_min);
    REQUIRE(table.remove(RoutePattern::parse("x.example").value()));
    CHECK(table.count() == 1);
    REQUIRE(table.replace({}));
    CHECK(table.count() == 0);
    CHECK(table.bytes() == bytes_min);
}

TEST_CASE("a replacement is seen whole", "[route]") {
    RouteTable table;
    const auto all_to = [&](std::uint32_t to) {
        RouteList list{.pools = {pool("a"), pool("b")}};
        for (const auto* name : {"x.example", "y.example", "z.example"})
            list.routes.push_back({name, to});
        return table.replace(list);
    };
    REQUIRE(all_to(0));
    std::atomic<bool> done = false;
    std::atomic<int> mixed = 0;
    std::thread thread([&] {
        RouteReader reader(table);
        while (!done) {
            const RouteReader::Look look(reader);
            const auto& first = look.find("x.example")->name;
            if (look.find("y.example")->name != first || look.find("z.example")->name != first)
                ++mixed;
        }
    });
    for (std::uint32_t round = 0; round < 100; ++round) REQUIRE(all_to(round % 2));
    done = true;
    thread.join();
    CHECK(mixed == 0);
}
