// SPDX-License-Identifier: Apache-2.0
// Specs of the Container Device Interface: read, refused, merged and written.
#include "host/gpu/cdi.h"

#include "host/gpu/inventory.h"
#include "tests/host/gpu/made_up_machines.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

using namespace berth;
using namespace berth::gpu;
using namespace std::chrono_literals;

namespace {

constexpr const char* whole = R"({
  "cdiVersion": "0.7.0", "kind": "nvidia.com/gpu", "annotations": {"made-by": "a test"},
  "containerEdits": {
    "env": ["NVIDIA_VISIBLE_DEVICES=void"],
    "deviceNodes": [{"path": "/dev/nvidiactl", "type": "c", "major": 195, "minor": 255}],
    "hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk",
               "args": ["nvidia-ctk", "hook", "update-ldcache"], "env": ["A=b"], "timeout": 5}],
    "mounts": [{"hostPath": "/usr/lib/libcuda.so.1", "containerPath": "/usr/lib/libcuda.so.1",
                "options": ["ro", "nosuid", "bind"]},
               {"hostPath": "tmpfs", "containerPath": "/run/nvidia", "type": "tmpfs"}]},
  "devices": [
    {"name": "0", "annotations": {}, "containerEdits": {
       "deviceNodes": [{"path": "/dev/nvidia0", "hostPath": "/dev/renamed0", "type": "c", "major": 195,
                        "minor": 0, "fileMode": 438, "permissions": "rw", "uid": 7, "gid": 8}]}},
    {"name": "all", "containerEdits": {"additionalGids": [44, 0], "env": ["NVIDIA_VISIBLE_DEVICES=all"]}}
  ]})";

std::string with(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

/// The complaint about a spec whose only device has these edits.
std::string complaint(std::string_view version, std::string_view edits) {
    const auto spec =
        cdi::parse_spec(fmt::format(R"({{"cdiVersion": "{}", "kind": "acme.com/card", "devices": [
                        {{"name": "one", "containerEdits": {}}}]}})",
                                    version, edits));
    return spec ? "" : fmt::format("{} {}", spec.error().field, spec.error().message);
}

}  // namespace

TEST_CASE("a spec is read with all its edits", "[cdi]") {
    const auto spec = cdi::parse_spec(whole).value();
    CHECK(spec.kind == "nvidia.com/gpu");
    REQUIRE(spec.devices.size() == 2);
    CHECK(spec.edits.environment == std::vector<std::string>{"NVIDIA_VISIBLE_DEVICES=void"});
    REQUIRE(spec.edits.hooks.size() == 1);
    CHECK(spec.edits.hooks[0] == cdi::Hook{.name = "createContainer",
                                           .path = "/usr/bin/nvidia-ctk",
                                           .arguments = {"nvidia-ctk", "hook", "update-ldcache"},
                                           .environment = {"A=b"},
                                           .timeout = 5s});
    REQUIRE(spec.edits.mounts.size() == 2);
    CHECK(spec.edits.mounts[0].options == std::vector<std::string>{"ro", "nosuid", "bind"});
    CHECK(spec.edits.mounts[1].type == "tmpfs");
    CHECK(spec.devices[0].edits.device_nodes[0] == cdi::NodeEdit{.path = "/dev/nvidia0",
                                                                 .host_path = "/dev/renamed0",
                                                                 .type = "c",
                                                                 .major = 195,
                                                                 .minor = 0,
                                                                 .file_mode = 0666,
                                                                 .permissions = "rw",
                                                                 .uid = 7,
                                                                 .gid = 8});
    CHECK(spec.devices[1].edits.additional_gids == std::vector<std::uint32_t>{44});  // 0 is ignored
}

TEST_CASE("every published version is read, and no other", "[cdi]") {
    for (const auto* version : {"0.7.0", "v0.7.0", "0.8.0", "1.0.0", "1.1.0", "1.1.1"})
        CHECK(cdi::parse_spec(with(whole, "0.7.0", version)));
    for (const auto* version : {"0.3.0", "0.4.0", "0.5.0", "0.6.0"})
        CHECK(complaint(version, R"({"env": ["A=b"]})").empty());
    for (const auto* version : {"0.2.0", "1.2.0", "2.0.0", "", "0.7", "newest", "0.7.0-rc1"})
        CHECK(complaint(version, R"({"env": ["A=b"]})")
                  .contains("/cdiVersion: is '" + std::string(version) +
                            "', and berth reads 0.3.0 to 1.1.0"));
}

TEST_CASE("a field that the spec's version does not have yet is refused by name", "[cdi]") {
    struct Row {
        const char* before;
        const char* since;
        const char* edits;
        const char* field;
    };
    const auto row = GENERATE(values<Row>({
        {"0.3.0", "0.4.0",
         R"({"mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "none"}]})",
         "/devices/0/containerEdits/mounts/0/type"},
        {"0.4.0", "0.5.0", R"({"deviceNodes": [{"path": "/dev/a", "hostPath": "/dev/b"}]})",
         "/devices/0/containerEdits/deviceNodes/0/hostPath"},
        {"0.6.0", "0.7.0", R"({"additionalGids": [44]})",
         "/devices/0/containerEdits/additionalGids"},
        {"0.6.0", "0.7.0", R"({"intelRdt": {"closID": "a"}})",
         "/devices/0/containerEdits/intelRdt"},
        {"1.0.0", "1.1.0", R"({"netDevices": [{"hostInterfaceName": "e0", "name": "e1"}]})",
         "/devices/0/containerEdits/netDevices"},
    }));
    CHECK(complaint(row.since, row.edits).empty());
    CHECK(complaint(row.before, row.edits).contains(row.field));
    CHECK(complaint(row.before, row.edits).contains(row.since));
}

TEST_CASE("what is wrong with a spec is said with where it is", "[cdi]") {
    struct Row {
        const char* edits;
        const char* says;
    };
    const auto row = GENERATE(values<Row>({
        {R"({})", "/devices/0/containerEdits: must not be empty"},
        {R"({"env": ["A"]})", "/devices/0/containerEdits/env/0: must be NAME=value"},
        {R"({"env": ["=b"]})", "/devices/0/containerEdits/env/0: must be NAME=value"},
        {R"({"env": "A=b"})", "/devices/0/containerEdits/env: must be an array"},
        {R"({"deviceNodes": [{}]})", "/devices/0/containerEdits/deviceNodes/0/path"},
        {R"({"deviceNodes": [{"path": "dev/a"}]})", "path: must be an absolute path without '..'"},
        {R"({"deviceNodes": [{"path": "/dev/../etc"}]})", "must be an absolute path without '..'"},
        {R"({"deviceNodes": [{"path": "/dev/a", "type": "x"}]})", "type: must be b, c, u or p"},
        {R"({"deviceNodes": [{"path": "/dev/a", "permissions": "rx"}]})", "must be of r, w and m"},
        {R"({"deviceNodes": [{"path": "/dev/a", "major": -1}]})", "deviceNodes/0/major"},
        {R"({"deviceNodes": [{"path": "/dev/a", "colour": 1}]})", "deviceNodes/0/colour"},
        {R"({"mounts": [{"hostPath": "a", "containerPath": "/b"}]})", "mounts/0/hostPath"},
        {R"({"mounts": [{"hostPath": "/a"}]})", "mounts/0/containerPath"},
        {R"({"hooks": [{"hookName": "later", "path": "/a"}]})", "must be createRuntime"},
        {R"({"hooks": [{"hookName": "poststop", "path": "a"}]})", "hooks/0/path"},
        {R"({"hooks": [{"hookName": "poststop", "path": "/a", "timeout": 0}]})", "hooks/0/timeout"},
        {R"({"additionalGids": [-1]})", "additionalGids/0"},
        {R"({"edits": []})", "/devices/0/containerEdits/edits"},
    }));
    CAPTURE(row.edits);
    const auto said = complaint("1.1.0", row.edits);
    CAPTURE(said);
    CHECK(said.contains(row.says));
    CHECK_FALSE(cdi::parse_spec("{"));
    CHECK(cdi::parse_spec(with(whole, "nvidia.com/gpu", "gpu")).error().field == "/kind");
    CHECK(cdi::parse_spec(with(whole, R"("name": "all")", R"("name": "0")")).error().field ==
          "/devices/1/name");
    CHECK(cdi::parse_spec(with(whole, R"("a test")", "7")).error().field == "/annotations/made-by");
}

TEST_CASE("a name of a device is of vendor, class and device", "[cdi]") {
    for (const auto* name : {"nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1:2", "a.b/c_d.e=all"})
        CHECK(cdi::QualifiedName::parse(name).value().to_string() == name);
    for (const auto* name : {"", "gpu=0", "nvidia.com/gpu", "nvidia.com/gpu=", "/gpu=0",
                             "nvidia.com/=0", "1a/gpu=0", "a/b/c=d", "a/b=c d", "a/b=-c", "a/b=c="})
        CHECK_FALSE(cdi::QualifiedName::parse(name));
}

TEST_CASE("what several devices want is put together, common edits once and first", "[cdi]") {
    const Sysfs machine({});
    machine.write("etc-cdi/nvidia.json", whole);
    const std::vector<std::string> names{"nvidia.com/gpu=0", "nvidia.com/gpu=all"};
    const auto edits = cdi::Specs::read(machine.roots()).resolve(names).value();
    // A later assignment of the same variable takes the place of the earlier one.
    CHECK(edits.environment == std::vector<std::string>{"NVIDIA_VISIBLE_DEVICES=all"});
    CHECK(edits.hooks.size() == 1);
    CHECK(edits.mounts.size() == 2);
    CHECK(edits.additional_gids == std::vector<std::uint32_t>{44});
    REQUIRE(edits.device_nodes.size() == 2);
    CHECK(edits.device_nodes[0].path == "/dev/nvidiactl");
    CHECK(edits.device_nodes[0].access == "rwm");
    CHECK(edits.device_nodes[1] == DeviceNode{.path = "/dev/nvidia0",
                                              .host_path = "/dev/renamed0",
                                              .major = 195,
                                              .minor = 0,
                                              .mode = 0666,
                                              .access = "rw",
                                              .uid = 7,
                                              .gid = 8});
}

TEST_CASE("numbers that a spec leaves out are those of the node", "[cdi]") {
    if (!privileged()) return;
    const Sysfs machine({});
    machine.write("etc-cdi/a.json", R"({"cdiVersion": "0.5.0", "kind": "acme.com/card", "devices": [
        {"name": "one", "containerEdits": {"deviceNodes": [{"path": "/dev/inside", "hostPath": "/dev/card"}]}},
        {"name": "two", "containerEdits": {"deviceNodes": [{"path": "/dev/gone"}]}}]})");
    std::filesystem::create_directories(machine.roots().dev);
    REQUIRE(::mknod((machine.roots().dev / "card").c_str(), S_IFCHR | 0640, makedev(1, 5)) == 0);
    const auto specs = cdi::Specs::read(machine.roots());
    const std::vector<std::string> one{"acme.com/card=one"}, two{"acme.com/card=two"};
    const auto node = specs.resolve(one).value().device_nodes.at(0);
    CHECK(node.path == "/dev/inside");
    CHECK(node.host_path == machine.roots().dev / "card");
    CHECK((node.major == 1 && node.minor == 5 && node.mode == 0640 && node.type == 'c'));
    const auto refused = specs.resolve(two);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unavailable);
    CHECK(refused.error().field == "/devices/0");
    CHECK(refused.error().message.contains("/dev/gone"));
    CHECK(refused.error().message.contains("a.json"));
}

TEST_CASE("a generated spec wins over an installed one, and a broken one hinders no other",
          "[cdi]") {
    const Sysfs machine({});
    const auto spec = [](std::string_view value) {
        return fmt::format(R"({{"cdiVersion": "0.3.0", "kind": "acme.com/card", "devices": [
                               {{"name": "one", "containerEdits": {{"env": ["FROM={}"]}}}}]}})",
                           value);
    };
    machine.write("etc-cdi/a.json", spec("etc"));
    machine.write("run-cdi/a.json", spec("run"));
    machine.write("etc-cdi/broken.json", R"({"kind": "acme.com/other"})");
    machine.write("etc-cdi/nvidia.yaml", "cdiVersion: 0.5.0\nkind: &a nvidia.com/gpu\n");
    machine.write("etc-cdi/other.yml",
                  "cdiVersion: 0.5.0\nkind: acme.com/yaml\ndevices:\n- name: '0'\n"
                  "  containerEdits:\n    env:\n    - FROM=yaml\n");
    machine.write("etc-cdi/readme.txt", "not a spec");
    const auto specs = cdi::Specs::read(machine.roots());
    CHECK(specs.names() == std::vector<std::string>{"acme.com/card=one", "acme.com/yaml=0"});
    const std::vector<std::string> yaml{"acme.com/yaml=0"};
    CHECK(specs.resolve(yaml).value().environment == std::vector<std::string>{"FROM=yaml"});
    const std::vector<std::string> one{"acme.com/card=one"}, other{"acme.com/other=x"};
    CHECK(specs.resolve(one).value().environment == std::vector<std::string>{"FROM=run"});
    REQUIRE(specs.problems().size() == 2);
    CHECK(specs.problems()[0].file.filename() == "broken.json");
    CHECK(specs.problems()[0].message.contains("/cdiVersion"));
    CHECK(specs.problems()[1].message.contains("line 2: has an anchor"));

    const auto refused = specs.resolve(other, "/cdi");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::not_found);
    CHECK(refused.error().field == "/cdi/0");
    CHECK(refused.error().message.contains("there is no CDI device 'acme.com/other=x'"));
    CHECK(refused.error().message.contains("broken.json"));

    machine.write("run-cdi/b.json", spec("also run"));
    const auto twice = cdi::Specs::read(machine.roots()).resolve(one);
    REQUIRE_FALSE(twice);
    CHECK(twice.error().message == "two files of one directory define acme.com/card=one");
    const std::vector<std::string> same{one[0], one[0]};
    machine.remove("run-cdi/b.json");
    CHECK(cdi::Specs::read(machine.roots()).resolve(same).error().field == "/devices/1");
}

TEST_CASE("what berth cannot do for a device is said, not left out", "[cdi]") {
    const Sysfs machine({});
    machine.write("etc-cdi/a.json", R"({"cdiVersion": "1.1.0", "kind": "acme.com/card", "devices": [
        {"name": "rdt", "containerEdits": {"intelRdt": {"closID": "a", "enableMonitoring": true}}},
        {"name": "net", "containerEdits": {"netDevices": [{"hostInterfaceName": "e0", "name": "e1"}]}},
        {"name": "fifo", "containerEdits": {"deviceNodes": [{"path": "/dev/a", "type": "p"}]}}]})");
    const auto specs = cdi::Specs::read(machine.roots());
    for (const auto* name : {"rdt", "net", "fifo"}) {
        const std::vector names{std::string("acme.com/card=") + name};
        const auto refused = specs.resolve(names);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::unsupported);
        CHECK(refused.error().field == "/devices/0");
    }
}

TEST_CASE("our own spec is one that we and others can read", "[cdi]") {
    const auto machine = made_up::mig();
    const auto gpus = inventory(machine->roots()).value();
    const auto spec = cdi::spec_of(gpus, machine->roots()).value();
    const auto path = machine->roots().var_run_cdi / "berth.json";
    REQUIRE(cdi::write_spec(spec, path));
    const auto specs = cdi::Specs::read(machine->roots());
    CHECK(specs.names() ==
          std::vector<std::string>{
              "berth.internal/gpu=0000:41:00.0", "berth.internal/gpu=0000:41:00.0-mig-1-0",
              "berth.internal/gpu=0000:41:00.0-mig-2-0", "berth.internal/gpu=0000:42:00.0",
              "berth.internal/gpu=all", "nvidia.com/gpu=MIG-0a0b0c0d-0000-5000-8000-000000000001"});
    const auto* part = specs.find("berth.internal/gpu=0000:41:00.0-mig-1-0");
    REQUIRE(part != nullptr);
    std::vector<std::string> paths;
    for (const auto& node : part->device_nodes) paths.push_back(node.path);
    CHECK(paths == std::vector<std::string>{"/dev/nvidia-caps/nvidia-cap12",
                                            "/dev/nvidia-caps/nvidia-cap13", "/dev/nvidia-modeset",
                                            "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
                                            "/dev/nvidia0", "/dev/nvidiactl"});

    const auto none = cdi::spec_of(inventory(made_up::vfio()->roots()).value(), {});
    REQUIRE_FALSE(none);
    CHECK(none.error().code == ErrorCode::unavailable);
    CHECK_FALSE(cdi::write_spec(Json{{"kind", "x"}}, path));
    CHECK(cdi::Specs::read(machine->roots()).names().size() == 6);  // nothing was changed
}
