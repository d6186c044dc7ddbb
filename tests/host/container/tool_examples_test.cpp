// SPDX-License-Identifier: Apache-2.0
// Every example in tools-schema/tools/*.json is called on a host that has one container, `web`,
// with port 8000 leading to its port 80, and for the tools of operations a command that works in
// the background as op_…01, for those of snapshots a snapshot `clean`, and for those of warnings
// one about it, wn_…00. What an example says is what happens, or this fails.
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"
#include "tools-schema/contract/error_table.h"
#include "tools-schema/registry/tool_spec.h"

#include <unistd.h>

using namespace berth;

namespace {

/// Whether `whole` has everything that `part` names; lists are compared item by item.
bool includes(const Json& whole, const Json& part) {
    if (part.is_object()) {
        for (const auto& [key, value] : part.items()) {
            if (!whole.is_object() || !whole.contains(key) || !includes(whole.at(key), value))
                return false;
        }
        return true;
    }
    if (!part.is_array()) return whole == part;
    if (!whole.is_array() || whole.size() != part.size()) return false;
    for (std::size_t index = 0; index < part.size(); ++index) {
        if (!includes(whole[index], part[index])) return false;
    }
    return true;
}

void call_example(const ToolSpec& tool, const Json& example) {
    FakeHost host;
    REQUIRE(host.registry->invoke(
        "container_create",
        {{"name", "web"}, {"ports", {{{"container_port", 80}, {"host_port", 8000}}}}}, {}));
    if (tool.toolset == "operation") {
        REQUIRE(host.registry->invoke(
            "container_exec",
            {{"container", "web"}, {"argv", {"sleep", "1000"}}, {"background", true}}, {}));
    }
    if (tool.toolset == "snapshot") {
        REQUIRE(host.registry->invoke("snapshot_create", {{"container", "web"}, {"name", "clean"}},
                                      {}));
    }
    if (tool.name == "container_export" || tool.name == "container_import") {
        REQUIRE(host.registry->invoke(
            "container_export", {{"container", "web"}, {"file", "web.tar"}, {"snapshots", true}},
            {}));
    }
    if (tool.name == "container_create" || tool.name == "gpu_attach" ||
        tool.name == "gpu_detach") {  // the card has a driver that makes its nodes
        host.sysfs.bind("0000:41:00.0", "nvidia");
        host.sysfs.write("proc/driver/nvidia/gpus/0000:41:00.0/information",
                         "Model: \t\t H100\nDevice Minor: \t 0\n");
        host.sysfs.write("proc/devices", "Character devices:\n195 nvidia\n510 nvidia-uvm\n");
    }
    if (tool.name == "gpu_detach") {
        REQUIRE(host.registry->invoke("gpu_attach", {{"container", "web"}, {"gpus", {"0"}}}, {}));
    }
    if (tool.name == "output_read") {
        const auto row = store::Containers(*host.database).find_by_name("web");
        host.directory.write(std::filesystem::path("containers") / row->value().id / "output" /
                                 "00000000000000000000000000000001",
                             std::string(5000, 'x'));
    }
    if (tool.name.starts_with("warning_")) {
        host.warnings->raise({.type = "container_flapping",
                              .severity = warning::Severity::error,
                              .entity = "container/web",
                              .message = "it keeps ending",
                              .next = "read its log"});
    }
    const auto answer = host.registry->invoke(tool.name, example.at("arguments"), {});
    if (example.contains("result")) {
        INFO((answer ? to_text(*answer) : answer.error().message));
        REQUIRE(answer);
        CHECK(includes(*answer, example.at("result")));
        return;
    }
    REQUIRE_FALSE(answer);
    INFO(answer.error().message);
    CHECK(error_info(answer.error().code).name == example.at("error").get<std::string>());
    if (example.contains("field"))
        CHECK(answer.error().field == example.at("field").get<std::string>());
    CHECK_FALSE(answer.error().hint.empty());
    if (const auto& next = answer.error().next_call) {
        INFO(next->text());
        const auto made =
            host.registry->invoke(next->tool, parse_json(next->arguments).value(), {});
        CHECK((made || made.error().code != ErrorCode::invalid_argument));
    }
}

}  // namespace

TEST_CASE("every example of every tool does what it says", "[tools]") {
    if (!privileged()) return;
    for (const auto& tool : tool_catalogue()) {
        if (is_of_sentinel(tool)) continue;  // tests/sentinel/tools does those
        const Json examples = parse_json(tool.examples).value();
        for (const auto& example : examples) {
            DYNAMIC_SECTION(tool.name << ": " << example.at("says").get<std::string>()) {
                call_example(tool, example);
            }
        }
    }
}
