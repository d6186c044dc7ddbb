// SPDX-License-Identifier: Apache-2.0
// What can be told of a share from its paths alone.
#include "host/container/shares.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace berth;
using namespace berth::container;
namespace fs = std::filesystem;

TEST_CASE("only what lies in an allowed directory is found", "[shares]") {
    const TemporaryDirectory place;
    const auto top = fs::canonical(place.path());
    fs::create_directories(top / "allowed");
    fs::create_directory_symlink(top / "allowed", top / "by-link");
    const ShareRules rules({top / "allowed", top / "by-link"}, {top / "allowed/berth"});
    const auto found = [&](const fs::path& path) {
        return rules.find({.host_path = path.string(), .path = "/srv"});
    };
    CHECK(ShareRules({top / "allowed"})
              .find({.host_path = (top / "allowed").string(), .path = "/srv"})
              .value()
              .below.empty());
    CHECK(found(top / "allowed/a/b").value().below == "a/b");
    CHECK(found(top / "allowed/a").value().allowed == top / "allowed");
    CHECK(found(top / "by-link/a").value().allowed == top / "allowed");
    for (const auto* path : {"allowed-more", "other", "", "allowed/berth", "allowed/berth/x"}) {
        CAPTURE(path);
        const auto refused = found(top / path);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::denied);
        CHECK(refused.error().field == "/host_path");
    }
    CHECK_FALSE(ShareRules({top / "allowed"}, {top / "allowed/berth"})
                    .find({.host_path = (top / "allowed").string(), .path = "/srv"}));
    CHECK_FALSE(ShareRules().find({.host_path = "/srv", .path = "/srv"}));
}

TEST_CASE("shares are set and removed by their path inside", "[shares]") {
    const store::Share one{.host_path = "/a", .path = "/srv/one"};
    const store::Share two{.host_path = "/b", .path = "/srv/two"};
    const store::Share changed{.host_path = "/c", .path = "/srv/one", .writable = true};
    CHECK(changed_by({two}, {}, {one}).value() == store::Shares{one, two});
    CHECK(changed_by({changed}, {}, {one, two}).value() == store::Shares{two, changed});
    CHECK(changed_by({}, {"/srv/one"}, {one, two}).value() == store::Shares{two});
    CHECK(changed_by({changed}, {"/srv/two"}, {one, two}).value() == store::Shares{changed});
    store::Shares many;
    for (std::size_t count = 0; count <= shares_per_container_max; ++count)
        many.push_back({.host_path = "/a", .path = "/srv/" + std::to_string(count)});
    CHECK(changed_by(many, {}, {}).error().code == ErrorCode::quota_exceeded);
}

TEST_CASE("no share lies in another or where something else is mounted", "[shares]") {
    const auto* path = GENERATE("/", "/proc", "/sys/x", "/dev", "/run/x", "/usr", "/usr/lib",
                                "/usr/lib/berth/x", "/srv/one", "/srv/one/below", "/srv", "srv",
                                "/srv/../etc", "/srv//x", "/srv/./x", "/x/");
    CAPTURE(path);
    const auto refused = changed_by({{.host_path = "/b", .path = path}}, {},
                                    {{.host_path = "/a", .path = "/srv/one/two"}});
    if (path == std::string_view("/srv/one/below")) {
        CHECK(refused);
        return;
    }
    REQUIRE_FALSE(refused);
    CHECK(refused.error().field == "/shares/0/path");
}
