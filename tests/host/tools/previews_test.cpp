// SPDX-License-Identifier: Apache-2.0
// Dry runs, of every tool that changes something.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"
#include "tools-schema/registry/tool_spec.h"

#include <map>
#include <set>

using namespace berth;

namespace {

constexpr std::string_view key =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada";

constexpr std::string_view warning_id = "wn_00000000000000000000000000";
constexpr std::string_view over_id = "wn_00000000000000000000000001";

/// A call that works, on a host with the container `web`, its port 80 at 8000, and the stopped
/// container `off`, a warning about it, and one about `web` that is over.
const std::map<std::string, Json, std::less<>> working{
    {"container_create", {{"name", "ada"}, {"ports", {{{"container_port", 80}}}}}},
    {"container_delete", {{"name", "web"}, {"force", true}}},
    {"container_exec", {{"container", "web"}, {"argv", {"true"}}}},
    {"container_export", {{"container", "off"}, {"file", "new.tar"}}},
    {"container_import", {{"file", "off.tar"}, {"name", "new"}}},
    {"gpu_attach", {{"container", "off"}, {"gpus", {"0"}}}},
    {"gpu_detach", {{"container", "off"}, {"gpus", {"0000:41:00.0"}}}},
    {"container_pause", {{"name", "web"}}},
    {"container_resume", {{"name", "web"}}},
    {"container_start", {{"name", "off"}}},
    {"container_stop", {{"name", "web"}}},
    {"container_fork", {{"container", "web"}, {"names", {"ada", "bob"}}}},
    {"snapshot_create", {{"container", "web"}, {"name", "fresh"}}},
    {"snapshot_delete", {{"container", "off"}, {"snapshot", "clean"}}},
    {"snapshot_restore", {{"container", "off"}, {"snapshot", "clean"}}},
    {"container_update", {{"name", "web"}, {"processes", 100}}},
    {"port_add", {{"container", "web"}, {"container_port", 81}}},
    {"port_remove", {{"host_port", 8000}}},
    {"ssh_key_add", {{"container", "web"}, {"public_key", key}}},
    {"warning_update", {{"id", warning_id}, {"action", "delete"}}},
};

struct Case {
    std::string_view tool;
    Json arguments;
};

/// Calls that the state of that host does not allow.
std::vector<Case> refused() {
    return {
        {"container_create", {{"name", "web"}}},
        {"container_create", {{"name", "ada"}, {"image", "nosuch"}}},
        {"container_create",
         {{"name", "ada"}, {"ports", {{{"container_port", 1}, {"host_port", 8000}}}}}},
        {"container_create",
         {{"name", "ada"}, {"ports", {{{"container_port", 1}, {"host_port", 9090}}}}}},
        {"container_delete", {{"name", "nosuch"}}},
        {"container_delete", {{"name", "web"}}},
        {"container_exec", {{"container", "nosuch"}, {"argv", {"true"}}}},
        {"container_exec", {{"container", "off"}, {"argv", {"true"}}}},
        {"container_pause", {{"name", "nosuch"}}},
        {"container_pause", {{"name", "off"}}},
        {"container_resume", {{"name", "off"}}},
        {"container_update", {{"name", "web"}, {"etag", "old"}}},
        {"container_update", {{"name", "web"}, {"disk_bytes", 1 << 30}}},
        {"container_start", {{"name", "nosuch"}}},
        {"container_stop", {{"name", "nosuch"}}},
        {"container_fork", {{"container", "nosuch"}, {"names", {"ada"}}}},
        {"container_fork", {{"container", "web"}, {"names", {"off"}}}},
        {"snapshot_create", {{"container", "off"}, {"name", "clean"}}},
        {"snapshot_delete", {{"container", "off"}, {"snapshot", "nosuch"}}},
        {"snapshot_restore", {{"container", "off"}, {"snapshot", "nosuch"}}},
        {"port_add", {{"container", "nosuch"}, {"container_port", 81}}},
        {"port_add", {{"container", "web"}, {"container_port", 81}, {"host_port", 8000}}},
        {"port_add", {{"container", "web"}, {"container_port", 81}, {"host_port", 9090}}},
        {"port_add", {{"container", "web"}, {"container_port", 81}, {"host_port", 20000}}},
        {"port_remove", {{"host_port", 8001}}},
        {"ssh_key_add", {{"container", "nosuch"}, {"public_key", key}}},
        {"warning_update", {{"id", "wn_99999999999999999999999999"}, {"action", "delete"}}},
        {"warning_update", {{"id", over_id}, {"action", "acknowledge"}}},
    };
}

Json with_dry_run(Json arguments) {
    arguments["dry_run"] = true;
    return arguments;
}

void furnish(FakeHost& host) {
    REQUIRE(host.registry->invoke(
        "container_create",
        {{"name", "web"}, {"ports", {{{"container_port", 80}, {"host_port", 8000}}}}}, {}));
    REQUIRE(host.registry->invoke("container_create", {{"name", "off"}, {"start", false}}, {}));
    REQUIRE(
        host.registry->invoke("snapshot_create", {{"container", "off"}, {"name", "clean"}}, {}));
    REQUIRE(
        host.registry->invoke("container_export", {{"container", "off"}, {"file", "off.tar"}}, {}));
    host.sysfs.bind("0000:41:00.0", "nvidia");
    host.sysfs.write("proc/driver/nvidia/gpus/0000:41:00.0/information",
                     "Model: \t\t H100\nDevice Minor: \t 0\n");
    host.sysfs.write("proc/devices", "Character devices:\n195 nvidia\n510 nvidia-uvm\n");
    REQUIRE(host.registry->invoke("gpu_attach", {{"container", "off"}, {"gpus", {"0"}}}, {}));
    host.network.used_by_host = {9090};
    for (const auto* entity : {"container/off", "container/web"}) {
        host.warnings->raise({.type = "made_up", .entity = entity, .message = "", .next = ""});
    }
    host.warnings->resolve("made_up", "container/web");
}

/// All that a call could change: every table, and what runs.
std::string picture(FakeHost& host) {
    std::string out;
    for (const auto* table : {"containers", "ports", "ssh_keys", "last_slot", "operations",
                              "requests", "layers", "snapshots", "warnings", "gpu_leases"}) {
        const auto rows = host.database->read(std::string("SELECT * FROM ") + table).value();
        for (const auto& row : rows) {
            for (const auto& value : row)
                out += store::text(value) + std::to_string(store::integer(value)) + "|";
            out += "\n";
        }
    }
    const auto views = host.containers->list().value();
    for (const auto& view : views)
        out += view.row.name + (view.state == container::State::running ? " runs\n" : " is off\n");
    for (const auto& forward : host.network.applied)
        out += std::to_string(forward.host_port) + "\n";
    for (const auto& [id, port] : host.logins.listening) out += id + std::to_string(port) + "\n";
    return out;
}

}  // namespace

TEST_CASE(
    "a dry run says what would happen and changes nothing, for every tool that changes things",
    "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    furnish(host);
    const auto before = picture(host);
    for (const auto& tool : tool_catalogue()) {
        if (tool.read_only || is_of_sentinel(tool) || tool.name.starts_with("operation_")) continue;
        CAPTURE(tool.name);
        REQUIRE(working.contains(tool.name));
        const auto looked =
            host.registry->invoke(tool.name, with_dry_run(working.find(tool.name)->second), {});
        INFO((looked ? "" : looked.error().message));
        REQUIRE(looked);
        CHECK(looked->at("dry_run") == true);
        CHECK(looked->at("would").get<std::string>().size() > 10);
        CHECK_FALSE(looked->at("would").get<std::string>().contains('\n'));
        CHECK(picture(host) == before);
    }
}

TEST_CASE("what a dry run said would happen is what the call does", "[tools]") {
    if (!privileged()) return;
    for (const auto& [tool, arguments] : working) {
        CAPTURE(tool);
        FakeHost host;
        furnish(host);
        CHECK(host.registry->invoke(tool, with_dry_run(arguments), {}));
        const auto done = host.registry->invoke(tool, arguments, {});
        INFO((done ? "" : done.error().message));
        CHECK(done);
    }
}

TEST_CASE("a dry run fails exactly as the call does", "[tools]") {
    if (!privileged()) return;
    FakeHost host;
    furnish(host);
    for (const auto& [tool, arguments] : refused()) {
        CAPTURE(tool, to_text(arguments));
        const auto looked = host.registry->invoke(tool, with_dry_run(arguments), {});
        const auto called = host.registry->invoke(tool, arguments, {});
        REQUIRE_FALSE(looked);
        REQUIRE_FALSE(called);
        CHECK(looked.error().code == called.error().code);
        CHECK(looked.error().message == called.error().message);
        CHECK(looked.error().field == called.error().field);
        CHECK(looked.error().hint == called.error().hint);
    }
}
