// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/shares.h"

#include "tests/support/catch.h"

#include <set>

using namespace berth::engine;

namespace {

constexpr std::int64_t uid_base = 2'000'000;

}  // namespace

TEST_CASE("a share maps its owner, and else the container's ids alone, each of them once",
          "[engine]") {
    const auto owner = GENERATE(std::int64_t{1}, 1000, ids_per_container - 1);
    CAPTURE(owner);
    std::set<std::int64_t> on_disk, seen;
    for (const auto& range : ids_of_share(owner, uid_base)) {
        for (std::int64_t step = 0; step < range.count; ++step) {
            const auto disk = range.on_disk + step;
            REQUIRE((disk == owner || (disk >= uid_base && disk < uid_base + ids_per_container)));
            REQUIRE(on_disk.insert(disk).second);
            REQUIRE(seen.insert(range.seen + step).second);
        }
    }
    CHECK(on_disk.contains(owner));
    CHECK(on_disk.contains(uid_base));  // what root inside writes
    CHECK(seen.size() == ids_per_container);
    CHECK(*seen.begin() == uid_base);
}

TEST_CASE("root of the host and other containers' ids are never mapped", "[engine]") {
    const auto owner = GENERATE(std::int64_t{0}, ids_per_container, uid_base, uid_base + 70'000);
    CHECK(ids_of_share(owner, uid_base).empty());
}

TEST_CASE("a directory is shared writable when somebody inside can write there", "[engine]") {
    CHECK(check_writable({.user = 1000, .group = 1000}, uid_base));
    CHECK(check_writable({.user = uid_base, .group = uid_base}, uid_base));
    CHECK(check_writable({.user = 0, .group = 0, .open_to_all = true}, uid_base));
    const auto refused =
        GENERATE(ShareOwner{.user = 0, .group = 0}, ShareOwner{.user = 1000, .group = 0},
                 ShareOwner{.user = 3'000'000, .group = 3'000'000});
    CHECK(check_writable(refused, uid_base).error().field == "/host_path");
}
