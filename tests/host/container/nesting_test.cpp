// SPDX-License-Identifier: Apache-2.0
// An operator who lets no container run containers of its own.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;

namespace {

Result<Json> call(FakeHost& host, std::string_view tool, const Json& arguments) {
    return host.registry->invoke(tool, arguments, {});
}

void require_denied(FakeHost& host, std::string_view tool, Json arguments, std::string_view field) {
    CAPTURE(tool, to_text(arguments));
    const auto before = host.containers->list().value().size();
    for (const bool dry_run : {true, false}) {
        // A dry run of these two looks at what there is, and not at a start.
        if (dry_run && (tool == "container_start" || tool == "snapshot_restore")) continue;
        arguments["dry_run"] = dry_run;
        const auto refused = call(host, tool, arguments);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::denied);
        CHECK(refused.error().field == field);
        CHECK(refused.error().message.contains("allow_nesting = false"));
        CHECK(refused.error().hint.contains("berthd.toml"));
    }
    CHECK(host.containers->list().value().size() == before);
}

}  // namespace

TEST_CASE("where nesting is not allowed none is created, and none comes by another way",
          "[nesting]") {
    if (!privileged()) return;
    FakeHost host;
    for (const auto* name : {"web", "off"})
        REQUIRE(call(host, "container_create", {{"name", name}, {"nesting", true}}));
    REQUIRE(call(host, "container_stop", {{"name", "off"}}));
    REQUIRE(call(host, "container_export", {{"container", "web"}, {"file", "web.tar"}}));
    REQUIRE(call(host, "snapshot_create", {{"container", "web"}, {"name", "s1"}}));
    host.settings.allow_nesting = false;
    host.restart();
    require_denied(host, "container_create", {{"name", "ada"}, {"nesting", true}}, "/nesting");
    require_denied(host, "container_fork", {{"container", "web"}, {"names", {"ada"}}},
                   "/container");
    require_denied(host, "container_import", {{"file", "web.tar"}, {"name", "ada"}}, "/file");
    require_denied(host, "container_start", {{"name", "off"}}, "");
    require_denied(host, "snapshot_restore",
                   {{"container", "web"}, {"snapshot", "s1"}, {"restart", true}}, "/container");
    // One that runs goes on, and can be taken elsewhere.
    CHECK(call(host, "container_get", {{"name", "web"}}).value().at("state") == "running");
    CHECK(call(host, "container_export", {{"container", "web"}, {"file", "again.tar"}}));
    CHECK(call(host, "container_create", {{"name", "ada"}}));
    host.settings.allow_nesting = true;
    host.restart();
    CHECK(call(host, "container_start", {{"name", "off"}}));
}
