// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/route_table.h"

#include "tests/support/catch.h"

#include <fmt/format.h>

#include <string>
#include <vector>

using namespace berth;
using namespace berth::sentinel;

namespace {

Pool pool(const std::string& name, std::uint16_t port = 443) {
    return {.name = name, .primary = SocketAddress::of("\x7f\0\0\1", port)};
}

Result<> add(RouteTable& table, std::string_view pattern, const Pool& to) {
    return table.add(RoutePattern::parse(pattern).value(), to);
}

/// The name of the pool that a name belongs to, "" for none.
std::string find(RouteTable& table, std::string_view name) {
    RouteReader reader(table);
    const RouteReader::Look look(reader);
    const Pool* const found = look.find(name);
    return found == nullptr ? "" : found->name;
}

}  // namespace

TEST_CASE("a name goes to its own pool, and else to that of the longest suffix", "[route]") {
    RouteTable table;
    REQUIRE(add(table, "ada.example", pool("exact")));
    REQUIRE(add(table, "*.example", pool("short")));
    REQUIRE(add(table, "*.lab.example", pool("long")));
    CHECK(find(table, "ada.example") == "exact");
    CHECK(find(table, "b.example") == "short");
    CHECK(find(table, "a.b.example") == "short");
    CHECK(find(table, "lab.example") == "short");
    CHECK(find(table, "a.lab.example") == "long");
    CHECK(find(table, "a.b.lab.example") == "long");
    CHECK(find(table, "example").empty());
    CHECK(find(table, "notexample").empty());
    CHECK(find(table, "ada.example.org").empty());
}

TEST_CASE("a name belongs to the pool that had it first", "[route]") {
    RouteTable table;
    REQUIRE(add(table, "ada.example", pool("first")));
    const auto second = add(table, "ADA.example.", pool("second"));
    REQUIRE_FALSE(second);
    CHECK(second.error().code == ErrorCode::already_exists);
    CHECK(find(table, "ada.example") == "first");
    const auto elsewhere = add(table, "b.example", pool("first", 444));
    REQUIRE_FALSE(elsewhere);
    CHECK(elsewhere.error().code == ErrorCode::already_exists);
    CHECK(find(table, "b.example").empty());
}

TEST_CASE("a route that was removed is free for another pool", "[route]") {
    RouteTable table;
    REQUIRE(add(table, "ada.example", pool("one")));
    REQUIRE(add(table, "*.ada.example", pool("one")));
    REQUIRE(table.remove(RoutePattern::parse("*.ada.example").value()));
    CHECK(find(table, "b.ada.example").empty());
    CHECK(find(table, "ada.example") == "one");
    REQUIRE(table.remove(RoutePattern::parse("ada.example").value()));
    const auto again = table.remove(RoutePattern::parse("ada.example").value());
    REQUIRE_FALSE(again);
    CHECK(again.error().code == ErrorCode::not_found);
    CHECK(table.count() == 0);
    REQUIRE(add(table, "ada.example", pool("one", 444)));  // the pool may have moved meanwhile
    CHECK(find(table, "ada.example") == "one");
}

TEST_CASE("a table that cannot be made leaves the one there is", "[route]") {
    RouteTable table;
    REQUIRE(add(table, "ada.example", pool("one")));
    const auto twice =
        table.replace({.pools = {pool("a"), pool("b")},
                       .routes = {{"x.example", 0}, {"y.example", 0}, {"x.example", 1}}});
    REQUIRE_FALSE(twice);
    CHECK(twice.error().code == ErrorCode::already_exists);
    CHECK(twice.error().message.find("x.example") != std::string::npos);
    const auto no_pool =
        table.replace({.pools = {pool("a")}, .routes = {{"x.example", 0}}, .default_pool = "b"});
    REQUIRE_FALSE(no_pool);
    CHECK(no_pool.error().code == ErrorCode::not_found);
    CHECK(find(table, "ada.example") == "one");
    CHECK(table.count() == 1);
}

TEST_CASE("the default pool is only ever asked for by itself", "[route]") {
    RouteTable table;
    REQUIRE(table.replace({.pools = {pool("a"), pool("b")},
                           .routes = {{"x.example", 0}, {"y.example", 1}},
                           .default_pool = "b"}));
    RouteReader reader(table);
    {
        const RouteReader::Look look(reader);
        CHECK(look.find("z.example") == nullptr);
        REQUIRE(look.default_pool() != nullptr);
        CHECK(look.default_pool()->name == "b");
    }
    REQUIRE(table.remove(RoutePattern::parse("y.example").value()));
    const RouteReader::Look look(reader);
    REQUIRE(look.default_pool() != nullptr);
    CHECK(look.default_pool()->name == "b");
}

TEST_CASE("a million names take at most 64 bytes each, and all are found", "[route]") {
    constexpr std::size_t names = 1'000'000;
    std::vector<std::string> keys;
    for (std::size_t number = 0; number < names; ++number) {
        keys.push_back(fmt::format("{}app{}.team{}.example.com", number % 50 == 0 ? "." : "",
                                   number, number % 1000));
    }
    RouteList list{.pools = {pool("a"), pool("b")}};
    for (const auto& key : keys)
        list.routes.push_back({key, static_cast<std::uint32_t>(key.size() % 2)});
    RouteTable table;
    REQUIRE(table.replace(list));
    CHECK(table.count() == names);
    CHECK(table.bytes() <= 64 * names);
    RouteReader reader(table);
    const RouteReader::Look look(reader);
    std::size_t wrong = 0;
    for (const auto& key : keys) {
        const Pool* const found = look.find(key.front() == '.' ? "below" + key : key);
        if (found == nullptr || found->name != (key.size() % 2 == 0 ? "a" : "b")) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(look.find("app1000000.team0.example.com") == nullptr);
}

TEST_CASE("what is no name of a host is no pattern", "[route]") {
    const auto* text = GENERATE("", "*", "*.", "*.*.example", "a.*.example", ".example", "*example",
                                "10.0.0.1", "a b");
    CAPTURE(text);
    const auto pattern = RoutePattern::parse(text);
    REQUIRE_FALSE(pattern);
    CHECK(pattern.error().code == ErrorCode::invalid_argument);
}
