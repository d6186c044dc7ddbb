// SPDX-License-Identifier: Apache-2.0
// Exports and imports as whole changes of a host, over an engine held in memory.
#include "base/shared_fd.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <filesystem>

using namespace berth;
namespace fs = std::filesystem;

namespace {

Result<Json> call(FakeHost& host, std::string_view tool, const Json& arguments,
                  std::shared_ptr<const int> file = {}) {
    return host.registry->invoke(tool, arguments, {.file = std::move(file)});
}

void furnish(FakeHost& host) {
    REQUIRE(call(host, "container_create",
                 {{"name", "web"},
                  {"ports", {{{"container_port", 80}, {"host_port", 8000}}}},
                  {"labels", {"team=web"}},
                  {"env", {"STAGE=live", "EMPTY="}},
                  {"memory_bytes", 1 << 29},
                  {"restart", "always"},
                  {"protected", true},
                  {"nesting", true},
                  {"ttl_seconds", 3600}}));
    REQUIRE(call(host, "snapshot_create",
                 {{"container", "web"}, {"name", "one"}, {"description", "first"}}));
    REQUIRE(call(host, "snapshot_restore",
                 {{"container", "web"}, {"snapshot", "one"}, {"restart", true}}));
    REQUIRE(call(host, "snapshot_create", {{"container", "web"}, {"name", "two"}}));
    REQUIRE(call(host, "container_export",
                 {{"container", "web"}, {"file", "web.tar"}, {"snapshots", true}}));
}

std::size_t layers_of(const FakeHost& host) {
    host.containers->finish_removals(std::chrono::seconds(10));
    std::size_t count = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(host.directory.path() / "layers", none))
        count += entry.path().empty() ? 0U : 1U;
    return count;
}

Error refusal(FakeHost& host, const Json& arguments) {
    const auto layers = layers_of(host);
    const auto containers = host.containers->list().value().size();
    const auto answer = call(host, "container_import", arguments);
    REQUIRE_FALSE(answer);
    CHECK(layers_of(host) == layers);
    CHECK(host.containers->list().value().size() == containers);
    return answer.error();
}

fs::path export_path(const FakeHost& host, std::string_view name) {
    return host.directory.path() / "exports" / name;
}

}  // namespace

TEST_CASE("an import has what the export had, and what it cannot have is told", "[transfer]") {
    if (!privileged()) return;
    FakeHost host;
    furnish(host);
    CHECK(layers_of(host) == 2);  // nothing of the export but the file
    const auto made =
        call(host, "container_import", {{"file", "web.tar"}, {"name", "ada"}, {"ports", "free"}});
    INFO((made ? to_text(*made) : made.error().message));
    REQUIRE(made);
    CHECK(made->at("snapshots") == 2);
    CHECK(made->at("ports").size() == 1);
    CHECK(made->at("ports")[0].at("host_port") != 8000);
    CHECK(made->at("notes").size() == 4);
    const auto before =
        call(host, "container_get", {{"name", "web"}, {"response_format", "detailed"}}).value();
    const auto after =
        call(host, "container_get", {{"name", "ada"}, {"response_format", "detailed"}}).value();
    for (const auto* same : {"image", "limits", "labels", "env", "no_new_privileges", "nesting"}) {
        CAPTURE(same);
        CHECK(before.value(same, Json()) == after.value(same, Json()));
    }
    CHECK(after["lifecycle"]["restart"] == "always");
    CHECK(after["lifecycle"]["protected"] == true);
    CHECK(after["lifecycle"].contains("expires_at"));
    CHECK(before["id"] != after["id"]);
    const auto snapshots = call(host, "snapshot_list", {{"container", "ada"}}).value();
    CHECK(snapshots["snapshots"][0]["name"] == "one");
    CHECK(snapshots["snapshots"][0]["description"] == "first");
    // It stands on: the layer under `web`, and what web had changed since.
    const auto id = host.containers->get(ContainerName::parse("ada").value()).value().row.id;
    CHECK(host.engine.roots.at(id).layers.size() == 2);
    CHECK(call(host, "snapshot_restore",
               {{"container", "ada"}, {"snapshot", "two"}, {"restart", true}}));
    // And all of it goes again.
    REQUIRE(call(host, "container_update", {{"name", "ada"}, {"protected", false}}));
    REQUIRE(call(host, "container_delete", {{"name", "ada"}, {"force", true}}));
    CHECK(layers_of(host) == 2);
}

TEST_CASE("what of the host an import does without is named, each of it", "[transfer]") {
    if (!privileged()) return;
    FakeHost host;
    host.sysfs.bind("0000:41:00.0", "nvidia");
    host.sysfs.write("proc/driver/nvidia/gpus/0000:41:00.0/information",
                     "Model: \t\t H100\nDevice Minor: \t 0\n");
    host.sysfs.write("proc/devices", "Character devices:\n195 nvidia\n510 nvidia-uvm\n");
    host.sysfs.write("etc-cdi/vendor.json", R"({"cdiVersion": "0.6.0", "kind": "vendor.com/class",
        "devices": [{"name": "x", "containerEdits": {"env": ["X=1"]}}]})");
    const Json stopped{
        {"name", "web"}, {"start", false}, {"gpus", {"0"}}, {"devices", {"vendor.com/class=x"}}};
    const auto created = call(host, "container_create", stopped);
    INFO((created ? "" : created.error().message));
    REQUIRE(created);
    Json shares = Json::array();
    for (const auto* path : {"one", "two"}) {
        const auto on_host = host.directory.path() / "allowed" / path;
        fs::create_directories(on_host);
        shares.push_back({{"host_path", on_host.string()}, {"path", std::string("/srv/") + path}});
    }
    REQUIRE(call(host, "container_update", {{"name", "web"}, {"shares", shares}}));
    REQUIRE(call(host, "container_export", {{"container", "web"}, {"file", "web.tar"}}));
    const auto made =
        call(host, "container_import", {{"file", "web.tar"}, {"name", "ada"}, {"start", false}});
    REQUIRE(made);
    const auto& notes = made->at("notes");
    REQUIRE(notes.size() == 5);
    CHECK(notes[0].get<std::string>().contains("new host key"));
    CHECK(notes[2] == "its 2 shares of the host's directories were left out: /srv/one, /srv/two");
    CHECK(notes[3] == "it does not hold the GPUs that it held: 0000:41:00.0");
    CHECK(notes[4] == "its CDI devices were left out: vendor.com/class=x");
    // A copy of that has none to be without.
    REQUIRE(call(host, "container_export", {{"container", "ada"}, {"file", "ada.tar"}}));
    CHECK(call(host, "container_import", {{"file", "ada.tar"}, {"name", "bob"}, {"start", false}})
              .value()
              .at("notes")
              .size() == 2);
}

TEST_CASE("an import that cannot be made leaves nothing", "[transfer]") {
    if (!privileged()) return;
    FakeHost host;
    furnish(host);
    CHECK(refusal(host, {{"file", "web.tar"}}).field == "/name");
    CHECK(refusal(host, {{"file", "web.tar"}, {"name", "ada"}}).field == "/ports");
    for (const auto* step : {"create", "start"}) {
        host.engine.fail_next(step);
        CHECK(refusal(host, {{"file", "web.tar"}, {"name", "ada"}, {"ports", "none"}}).code ==
              ErrorCode::unavailable);
    }
    fs::copy_file(export_path(host, "web.tar"), export_path(host, "cut.tar"));
    fs::resize_file(export_path(host, "cut.tar"), fs::file_size(export_path(host, "cut.tar")) / 2);
    const Json cut{{"file", "cut.tar"}, {"name", "ada"}, {"ports", "none"}};
    CHECK(refusal(host, cut).field == "/file");
    for (const auto& entry : fs::directory_iterator(host.directory.path() / "images")) {
        if (entry.path().filename().string().starts_with("sha256-"))
            fs::rename(entry.path(), host.directory.path() / "gone");
    }
    const auto error = refusal(host, {{"file", "web.tar"}, {"name", "ada"}, {"ports", "none"}});
    CHECK(error.code == ErrorCode::not_found);
    CHECK(error.hint.contains("sha256-aaaa"));
}

TEST_CASE("a dry run of an import tells what it would make, and reads the file again",
          "[transfer]") {
    if (!privileged()) return;
    FakeHost host;
    furnish(host);
    const auto file = share(Fd(::open(export_path(host, "web.tar").c_str(), O_RDONLY | O_CLOEXEC)));
    Json wanted{{"name", "ada"}, {"ports", "none"}, {"dry_run", true}};
    const auto told = call(host, "container_import", wanted, file);
    REQUIRE(told);
    CHECK(told->at("would").get<std::string>().contains("2 snapshots"));
    CHECK(host.containers->list().value().size() == 1);
    wanted["dry_run"] = false;
    CHECK(call(host, "container_import", wanted, file));
}

TEST_CASE("an export that fails leaves no file and holds nobody", "[transfer]") {
    if (!privileged()) return;
    FakeHost host;
    furnish(host);
    const Json wanted{{"container", "web"}, {"file", "other.tar"}};
    host.engine.fail_next("copy");
    CHECK_FALSE(call(host, "container_export", wanted));
    CHECK_FALSE(fs::exists(export_path(host, "other.tar")));
    CHECK(layers_of(host) == 2);
    const auto id = host.containers->get(ContainerName::parse("web").value()).value().row.id;
    CHECK_FALSE(host.engine.frozen(id));
    CHECK(call(host, "container_export", wanted));
    CHECK(fs::exists(export_path(host, "other.tar")));
    CHECK((fs::status(export_path(host, "other.tar")).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
}
