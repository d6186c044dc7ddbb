// SPDX-License-Identifier: Apache-2.0
// Every change is made to fail at each of its steps, on a host in memory: it is undone, and the
// same call works then. tests/system/test_faults.py does so with real containers, and with kill -9.
#include "base/fault.h"
#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <set>

#ifdef BERTH_FAULTS
using namespace berth;

namespace {

struct Call {
    std::string_view tool;
    Json arguments;
};

/// A call, those that make what it needs, and the points that it comes by.
struct Change {
    std::vector<Call> before;
    Call call;
    std::vector<std::string_view> points;
    bool stays_begun = false;  // what has begun is only ever finished
};

std::vector<Change> changes() {
    const Json ada = {{"name", "ada"}};
    const Json in_ada = {{"container", "ada"}};
    const Json snapshot = {{"container", "ada"}, {"snapshot", "s1"}};
    const Json port = {{"container", "ada"}, {"container_port", 80}, {"host_port", 30001}};
    const Json key = {
        {"container", "ada"},
        {"public_key",
         "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f "
         "a"}};
    const Call create{
        "container_create",
        {{"name", "ada"}, {"ports", {{{"container_port", 81}, {"host_port", 30002}}}}}};
    const Call restore{"snapshot_restore",
                       {{"container", "ada"}, {"snapshot", "s1"}, {"restart", true}}};
    const Call take{"snapshot_create", in_ada};
    const Call write{"container_export", {{"container", "ada"}, {"file", "new.tar"}}};
    return {
        {{}, create, {"container.reserve", "ssh.host_files", "ssh.keys", "container.ready"}},
        {{create, {"container_stop", ada}},
         {"container_start", ada},
         {"ssh.keys", "container.started"}},
        {{create}, {"container_stop", ada}, {"container.stop"}},
        {{create},
         {"container_delete", {{"name", "ada"}, {"force", true}}},
         {"container.delete", "container.retire"},
         true},
        {{create},
         {"container_update", {{"name", "ada"}, {"processes", 500}, {"env", {"A=1"}}}},
         {"container.update"}},
        {{create, {"container_stop", ada}},
         {"gpu_attach", {{"container", "ada"}, {"gpus", {"0"}}}},
         {"gpu.leased"}},
        {{create}, {"port_add", port}, {"port.added"}},
        {{create, {"port_add", port}}, {"port_remove", {{"host_port", 30001}}}, {"port.removed"}},
        {{create}, {"ssh_key_add", key}, {"ssh.keys", "ssh.key_added"}},
        {{create},
         take,
         {"snapshot.begin", "snapshot.copy", "snapshot.place", "snapshot.placed",
          "snapshot.record"}},
        {{create, take}, {"snapshot_delete", snapshot}, {"snapshot.remove"}},
        {{create},
         {"container_fork", {{"container", "ada"}, {"names", {"bob", "cyd"}}}},
         {"snapshot.placed", "fork.record", "container.reserve", "container.ready"}},
        {{create}, write, {"export.write"}},
        {{create, write},
         {"container_import", {{"file", "new.tar"}, {"name", "bob"}, {"ports", "free"}}},
         {"import.unpack", "import.place", "import.record"}},
        {{create, take}, restore, {"restore.record"}},
        {{create, take}, restore, {"ssh.keys", "container.started"}, true},
    };
}

/// All that a change may touch.
Json picture(FakeHost& host) {
    host.containers->finish_removals(std::chrono::seconds(10));
    Json seen = {{"containers", Json::array()}, {"layers", Json::array()}};
    const auto views = host.containers->list().value();
    for (const auto& view : views) {
        Json ports = Json::array();
        for (const auto& port : view.ports) ports.push_back(port.host_port);
        const auto limits = host.engine.limits.find(view.row.id);
        seen["containers"].push_back(
            {{"id", view.row.id},
             {"state", static_cast<int>(view.state)},
             {"wanted", view.row.wanted_running},
             {"processes", view.row.limits.processes},
             {"limit", limits == host.engine.limits.end() ? view.row.limits.processes
                                                          : limits->second.processes},
             {"ports", ports},
             {"keys", view.ssh_keys},
             {"gpus", view.gpus},
             {"logins",
              read_file(host.directory.path() / "containers" / view.row.id / "guest/sshd_config")
                  .value_or("")},
             {"root", host.engine.roots.at(view.row.id).name},
             {"listens", host.logins.listening.contains(view.row.id)}});
    }
    seen["snapshots"] = host.snapshots->list({}).value().size();
    seen["forwards"] = host.network.applied.size();
    seen["engine"] = host.remaining();
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(host.directory.path() / "layers", none))
        seen["layers"].push_back(entry.path().filename().string());
    return seen;
}

/// A container in memory has no mounts, links, processes and sockets; files of a layer that cannot
/// be removed fail nobody; no container waits here (test_standby.py), and none ends by itself
/// (test_faults_alone.py).
bool is_elsewhere(std::string_view point) {
    constexpr auto elsewhere = std::to_array<std::string_view>(
        {"engine.", "net.", "agent.", "guest.", "ssh.listen", "ssh.prove", "restore.prepare",
         "restore.recorded", "layer.discard", "standby.", "container.ended"});
    return std::ranges::any_of(elsewhere, [&](auto start) { return point.starts_with(start); });
}

}  // namespace

TEST_CASE("a change that fails at any step is undone, and the same call works then",
          "[container]") {
    if (!privileged()) return;
    std::set<std::string_view> reached;
    for (const auto& change : changes()) {
        for (const auto point : change.points) {
            CAPTURE(change.call.tool, point);
            FakeHost host;
            for (const auto& call : change.before)
                REQUIRE(host.registry->invoke(call.tool, call.arguments, {}));
            const auto before = picture(host);
            fault::watch(host.directory.path() / "fault");
            host.directory.write("fault", std::string(point));
            const auto done = host.registry->invoke(change.call.tool, change.call.arguments, {});
            fault::watch("");
            reached.insert(point);
            REQUIRE_FALSE(done);
            CHECK(done.error().message.contains(point));
            if (!change.stays_begun) CHECK(picture(host) == before);
            CHECK(host.registry->invoke(change.call.tool, change.call.arguments, {}));
        }
    }
    {  // its caller has been answered by then
        FakeHost host;
        REQUIRE(host.registry->invoke("container_create", {{"name", "ada"}}, {}));
        fault::watch(host.directory.path() / "fault");
        host.directory.write("fault", "container.remove");
        CHECK(host.registry->invoke("container_delete", {{"name", "ada"}, {"force", true}}, {}));
        CHECK(picture(host)["engine"] == 0);
        fault::watch("");
        reached.insert("container.remove");
    }
    for (const auto point : fault::points) {
        CAPTURE(point);
        CHECK((is_elsewhere(point) || reached.contains(point)));
    }
}
#endif
