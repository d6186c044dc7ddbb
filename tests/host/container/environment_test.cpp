// SPDX-License-Identifier: Apache-2.0
// The variables of a container, which every command and every login gets.
#include "host/container/environment.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

using namespace berth;
using namespace berth::container;

namespace {

Result<Json> call(FakeHost& host, std::string_view tool, const Json& arguments) {
    return host.registry->invoke(tool, arguments, {});
}

/// What sshd would be told of variables.
std::string told_to_logins(FakeHost& host) {
    const auto id = host.containers->get(ContainerName::parse("ada").value()).value().row.id;
    const auto config =
        read_file(host.directory.path() / "containers" / id / "guest/sshd_config").value();
    const auto at = config.find("SetEnv");
    return at == std::string::npos ? "" : config.substr(at, config.find('\n', at) - at);
}

Json env_of(FakeHost& host) {
    return call(host, "container_get", {{"name", "ada"}, {"response_format", "detailed"}})
        .value()
        .value("env", Json::array());
}

}  // namespace

TEST_CASE("variables that cannot be had are refused by their place, and no value is told",
          "[environment]") {
    struct Case {
        store::Environment environment;
        ErrorCode code;
        std::string field;
    };
    const std::string half(environment_bytes_max / 2 - 2, 'x');
    const auto refused = GENERATE_COPY(
        values<Case>({{{"A=s3cret", "B=", "A=s3cret"}, ErrorCode::invalid_argument, "/env/2"},
                      {{"B=", "A=s3cret\nmore"}, ErrorCode::invalid_argument, "/env/1"},
                      {{"A=" + half, "B=" + half, "C="}, ErrorCode::quota_exceeded, "/env"},
                      {store::Environment(variables_per_container_max + 1, "A=s3cret"),
                       ErrorCode::quota_exceeded, "/env"}}));
    const auto checked = check_environment(refused.environment);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == refused.code);
    CHECK(checked.error().field == refused.field);
    CHECK_FALSE(checked.error().hint.empty());
    CHECK_FALSE((checked.error().message + checked.error().hint).contains("s3cret"));
    CHECK(check_environment({"A=" + half, "B=" + half}));
    CHECK(check_environment({"A=", "AA=a=b", "B=\t\"\\"}));
    CHECK(check_environment({}));
}

TEST_CASE("variables are kept, and changed as a whole with an etag", "[environment]") {
    if (!privileged()) return;
    FakeHost host;
    const auto made =
        call(host, "container_create", {{"name", "ada"}, {"env", {"STAGE=live", "EMPTY="}}});
    REQUIRE(made);
    CHECK_FALSE(made->contains("env"));  // in short
    CHECK(env_of(host) == Json{"STAGE=live", "EMPTY="});
    CHECK(told_to_logins(host) == R"(SetEnv "STAGE=live" "EMPTY=")");
    const auto etag = made->at("etag");
    SECTION("what an update does not name stays") {
        REQUIRE(call(host, "container_update", {{"name", "ada"}, {"processes", 99}}));
        CHECK(env_of(host) == Json{"STAGE=live", "EMPTY="});
    }
    SECTION("what it names is all there is, without a restart") {
        const auto updated =
            call(host, "container_update", {{"name", "ada"}, {"etag", etag}, {"env", {"OTHER=1"}}});
        REQUIRE(updated);
        CHECK(updated->at("restart_required").empty());
        CHECK(updated->at("container").at("env") == Json{"OTHER=1"});
        CHECK(told_to_logins(host) == R"(SetEnv "OTHER=1")");
        const auto late = call(host, "container_update",
                               {{"name", "ada"}, {"etag", etag}, {"env", Json::array()}});
        REQUIRE_FALSE(late);
        CHECK(late.error().code == ErrorCode::busy);
        CHECK(late.error().field == "/etag");
        host.restart();
        CHECK(env_of(host) == Json{"OTHER=1"});
        REQUIRE(call(host, "container_update", {{"name", "ada"}, {"env", Json::array()}}));
        CHECK(env_of(host).empty());
        CHECK(told_to_logins(host).empty());
    }
    SECTION("an update that fails changes neither commands nor logins") {
        host.engine.fail_next("limit");
        CHECK_FALSE(call(host, "container_update",
                         {{"name", "ada"}, {"processes", 98}, {"env", {"OTHER=1"}}}));
        CHECK_FALSE(call(host, "container_update", {{"name", "ada"}, {"env", {"A=1", "A=2"}}}));
        CHECK(env_of(host) == Json{"STAGE=live", "EMPTY="});
        CHECK(told_to_logins(host) == R"(SetEnv "STAGE=live" "EMPTY=")");
    }
    SECTION("a berthd that ended in the middle of one puts logins right") {
        const auto id = host.containers->get(ContainerName::parse("ada").value()).value().row.id;
        const auto file = host.directory.path() / "containers" / id / "guest/sshd_config";
        REQUIRE(write_file_atomically(file, "SetEnv \"HALF=way\"\n", {}));
        host.restart();
        CHECK(told_to_logins(host) == R"(SetEnv "STAGE=live" "EMPTY=")");
    }
    SECTION("a fork has them") {
        REQUIRE(call(host, "container_fork", {{"container", "ada"}, {"names", {"bob"}}}));
        CHECK(host.containers->get(ContainerName::parse("bob").value()).value().row.environment ==
              store::Environment{"STAGE=live", "EMPTY="});
    }
}

TEST_CASE("no preview shows a variable's value", "[environment]") {
    if (!privileged()) return;
    FakeHost host;
    REQUIRE(call(host, "container_create", {{"name", "ada"}, {"env", {"TOKEN=s3cret"}}}));
    REQUIRE(call(host, "container_export", {{"container", "ada"}, {"file", "ada.tar"}}));
    const std::vector<std::pair<std::string_view, Json>> calls{
        {"container_create", {{"name", "bob"}, {"env", {"TOKEN=s3cret"}}}},
        {"container_update", {{"name", "ada"}, {"env", {"TOKEN=s3cret"}}}},
        {"container_exec", {{"container", "ada"}, {"argv", {"true"}}, {"env", {"A=s3cret"}}}},
        {"container_stop", {{"name", "ada"}}},
        {"container_fork", {{"container", "ada"}, {"names", {"bob"}}}},
        {"snapshot_create", {{"container", "ada"}}},
        {"container_export", {{"container", "ada"}, {"file", "other.tar"}}},
        {"container_import", {{"file", "ada.tar"}, {"name", "bob"}}}};
    for (auto [tool, arguments] : calls) {
        CAPTURE(tool);
        arguments["dry_run"] = true;
        const auto looked = call(host, tool, arguments);
        REQUIRE(looked);
        CHECK_FALSE(to_text(*looked).contains("s3cret"));
    }
}
