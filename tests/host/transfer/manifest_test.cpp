// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/manifest.h"

#include "tests/host/transfer/streams.h"

using namespace berth;
using namespace berth::transfer;

namespace {

Json valid() {
    auto manifest = small_manifest();
    manifest.life = {.restart = store::Restart::on_failure,
                     .is_protected = true,
                     .idle_stop_seconds = 60,
                     .after_stop = store::AfterStop::armed};
    manifest.ttl_seconds = 5;
    manifest.nesting = true;
    manifest.shares = 1;
    manifest.share_paths = {"/srv/a"};
    manifest.gpus = {"0000:41:00.0"};
    manifest.devices = {"vendor.com/class=x"};
    manifest.environment = {EnvAssignment::parse("A=b c").value()};
    manifest.labels = {Label::parse("team=web").value()};
    manifest.ports = {{.protocol = "udp", .host_port = 53, .container_port = 5353}};
    manifest.layers = {{.entries = 1, .created_at = "then"},
                       {.parent = 0, .entries = 2, .bytes = 3, .created_at = "then"}};
    manifest.snapshots = {{.name = SnapshotName::parse("s1").value(),
                           .description = "",
                           .created_at = "then",
                           .layer = 0}};
    return to_json(manifest);
}

}  // namespace

TEST_CASE("a manifest is read as it was written", "[transfer]") {
    const auto read = read_manifest(valid());
    INFO((read ? "" : read.error().message));
    REQUIRE(read);
    CHECK(to_json(*read) == valid());
    CHECK(read->life.restart == store::Restart::on_failure);
    CHECK(read->life.after_stop == store::AfterStop::remove);
    CHECK(read->nesting);
    CHECK(read->environment.at(0).to_string() == "A=b c");
    for (const auto* newer : {"nesting", "env", "share_paths", "gpus", "devices"})
        CHECK_FALSE(to_json(small_manifest()).contains(newer));  // which older ones can read
    CHECK(read->layers[0].parent == -1);
}

TEST_CASE("what is wrong with a manifest is named", "[transfer]") {
    const auto field_of = [](auto change) {
        auto json = valid();
        change(json);
        const auto read = read_manifest(json);
        REQUIRE_FALSE(read);
        return read.error().field;
    };
    CHECK(field_of([](Json& json) { json["name"] = "../x"; }) == "/name");
    CHECK(field_of([](Json& json) { json.erase("limits"); }) == "/limits");
    CHECK(field_of([](Json& json) { json["limits"]["processes"] = -1; }) == "/limits/processes");
    CHECK(field_of([](Json& json) { json["layers"][1]["parent"] = 1; }) == "/layers/1/parent");
    CHECK(field_of([](Json& json) { json["layers"] = Json::array(); }) == "/layers");
    CHECK(field_of([](Json& json) { json["snapshots"][0]["layer"] = 2; }) == "/snapshots/0/layer");
    CHECK(field_of([](Json& json) { json["snapshots"].push_back(json["snapshots"][0]); }) ==
          "/snapshots/1/name");
    CHECK(field_of([](Json& json) { json["ports"][0]["protocol"] = "sctp"; }) ==
          "/ports/0/protocol");
    CHECK(field_of([](Json& json) { json["env"][0] = "no assignment"; }) == "/env/0");
    CHECK(field_of([](Json& json) { json["gpus"] = Json::array({""}); }) == "/gpus/0");
    CHECK(field_of([](Json& json) { json["devices"] = Json(17, "a"); }) == "/devices");
    CHECK(field_of([](Json& json) { json["restart"] = "sometimes"; }) == "/restart");
    CHECK(field_of([](Json& json) { json["surprise"] = 1; }) == "/surprise");
}

TEST_CASE("a form of another version is refused before anything else", "[transfer]") {
    auto json = valid();
    json["berth_export"] = 2;
    json["surprise"] = true;
    const auto read = read_manifest(json);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::unsupported);
    CHECK_FALSE(read.error().hint.empty());
    CHECK_FALSE(read_manifest(Json::array()));
    CHECK_FALSE(read_manifest(Json{{"berth_export", "1"}}));
}
