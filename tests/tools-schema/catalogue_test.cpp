// SPDX-License-Identifier: Apache-2.0
// What every tool of the catalogue must have, and that its examples mean what they say.
#include "tests/support/catch.h"
#include "tools-schema/registry/tokens.h"
#include "tools-schema/registry/tool_spec.h"
#include "tools/tools.h"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <regex>
#include <set>

using namespace berth;

namespace {

// What the design promises an agent: the list it reads in every conversation is short.
constexpr std::size_t default_tokens_max = 8'000;
constexpr std::size_t list_tokens_max = 14'000;
constexpr std::size_t default_tools_max = 24;

Json parsed(std::string_view text) {
    return parse_json(text).value();
}

void require_described(const Json& schema, const std::string& at) {
    CHECK_FALSE(schema.contains("$ref"));
    CHECK_FALSE(schema.contains("x-cpp"));
    if (schema.contains("items")) require_described(schema["items"], at + "/items");
    if (!schema.contains("properties")) return;
    CHECK_FALSE(schema.contains("x-any"));
    CHECK(schema["additionalProperties"] == false);
    for (const auto& [name, property] : schema["properties"].items()) {
        const auto here = at + "/" + name;
        CAPTURE(here);
        CHECK_FALSE(property.value("description", "").empty());
        require_described(property, here);
    }
}

/// The same schema without what is left to the decoder: patterns, and lengths of texts and lists.
Json without_lengths(Json schema) {
    for (const auto* key : {"pattern", "minLength", "maxLength", "minItems", "maxItems"}) {
        schema.erase(key);
    }
    if (schema.contains("items")) schema["items"] = without_lengths(schema["items"]);
    if (schema.contains("properties")) {
        for (auto& [name, property] : schema["properties"].items()) {
            property = without_lengths(property);
        }
    }
    return schema;
}

/// Each tool's decoder, with only its verdict kept.
std::map<std::string, std::function<Result<>(const Json&)>, std::less<>> decoders() {
    std::map<std::string, std::function<Result<>(const Json&)>, std::less<>> all;
    tools::for_each_tool([&all](auto tool) {
        using Tool = decltype(tool);
        all[std::string(Tool::name)] = [](const Json& arguments) -> Result<> {
            BERTH_TRY(Tool::decode(arguments));
            return {};
        };
    });
    return all;
}

}  // namespace

TEST_CASE("every tool is listed as clients and models need it", "[catalogue]") {
    for (const auto& tool : tool_catalogue()) {
        CAPTURE(tool.name);
        CHECK(std::regex_match(std::string(tool.name), std::regex("[a-z]+(_[a-z]+)+")));
        CHECK(tool.name.size() <= 40);
        const auto listing = parsed(tool.listing);
        CHECK(listing["name"] == tool.name);
        CHECK(listing["title"] == tool.title);
        CHECK(listing["description"] == tool.description);
        CHECK(listing["annotations"]["readOnlyHint"] == tool.read_only);
        CHECK(listing["annotations"]["destructiveHint"] == tool.destructive);
        CHECK(listing["annotations"]["idempotentHint"] == tool.idempotent);
        CHECK(listing["annotations"]["openWorldHint"] == tool.open_world);
        require_described(listing["inputSchema"], "inputSchema");
        CHECK(listing["inputSchema"] == without_lengths(parsed(tool.input_schema)));
        require_described(parsed(tool.output_schema), "output_schema");
        CHECK_FALSE((tool.read_only && tool.destructive));
    }
}

TEST_CASE("the catalogue costs a model less than it may", "[catalogue]") {
    std::size_t tokens = 0;
    std::size_t default_tokens = 0;
    std::size_t default_tools = 0;
    for (const auto& tool : tool_catalogue()) {
        const auto cost = approximate_tokens(tool.listing) + 1;
        tokens += cost;
        default_tokens += tool.in_default ? cost : 0;
        default_tools += tool.in_default ? 1 : 0;
    }
    CHECK(default_tools <= default_tools_max);
    CHECK(default_tokens < default_tokens_max);
    CHECK(tokens < list_tokens_max);
}

TEST_CASE("whatever a call can answer is true to the outputSchema that clients see",
          "[catalogue]") {
    const auto fits = [](const Json& answer, const Json& schema) {
        for (const auto& [name, value] : answer.items()) {
            if (!schema["properties"].contains(name)) continue;
            CAPTURE(name);
            const auto type = value.is_number_integer() ? "integer" : value.type_name();
            CHECK(schema["properties"][name]["type"] == std::string(type));
        }
    };
    const Json dry_run{
        {"dry_run", true}, {"would", "x"}, {"target", Json::object()}, {"state", "x"}};
    const Json operation{{"id", "x"},
                         {"tool", "x"},
                         {"container", "x"},
                         {"status", "x"},
                         {"created_at", "x"},
                         {"updated_at", "x"},
                         {"expires_at", "x"},
                         {"next", "x"},
                         {"result", Json::object()},
                         {"progress", Json::object()},
                         {"error", Json::object()}};
    const Json failed{{"code", "x"}, {"message", "x"}, {"field", "x"}, {"hint", "x"}};
    for (const auto& tool : tool_catalogue()) {
        CAPTURE(tool.name);
        const auto schema = parsed(tool.listing)["outputSchema"];
        if (!tool.in_default) {  // who asks for it reads docs/tools.md, or an answer
            CHECK(schema == Json{{"type", "object"}});
            continue;
        }
        CHECK(schema.size() == 2);
        fits(failed, schema);
        if (!tool.read_only) fits(dry_run, schema);
        if (tool.long_running) fits(operation, schema);
        for (const auto& example : parsed(tool.examples)) {
            if (example.contains("result")) fits(example["result"], schema);
        }
        for (const auto& [name, property] : schema["properties"].items()) {
            CHECK(property["type"] == parsed(tool.output_schema)["properties"][name]["type"]);
            CHECK(property.size() == (property["type"] == "array" ? 2 : 1));
        }
    }
}

TEST_CASE("tools take the common arguments of their class", "[catalogue]") {
    for (const auto& tool : tool_catalogue()) {
        CAPTURE(tool.name);
        const auto properties = parsed(tool.input_schema)["properties"];
        for (const auto* key : {"dry_run", "request_id", "confirm_token"}) {
            CHECK(properties.contains(key) == !tool.read_only);
        }
        CHECK(properties.contains("background") == tool.long_running);
        CHECK(properties.contains("response_format") == !tool.concise.empty());
    }
    const auto input = tools::ContainerDelete::decode(
        {{"name", "web"}, {"dry_run", true}, {"request_id", "a b"}, {"confirm_token", "t"}});
    REQUIRE(input.has_value());
    CHECK(input->dry_run);
    CHECK(input->request_id->to_string() == "a b");
    CHECK(input->confirm_token == "t");
    CHECK_FALSE(input->background);
}

TEST_CASE("every tool belongs to a toolset that can be chosen", "[catalogue]") {
    const std::set<std::string_view> toolsets{"container", "exec", "operation", "port",
                                              "snapshot",  "ssh",  "gpu",       "admin"};
    for (const auto& tool : tool_catalogue()) {
        CAPTURE(tool.name, tool.toolset);
        CHECK(toolsets.contains(tool.toolset));
    }
}

TEST_CASE("an operation carries whatever object its tool answered", "[catalogue]") {
    const tools::Operation operation{
        .id = OperationId::parse("op_00000000000000000000000001").value(),
        .tool = "container_delete",
        .status = tools::OperationStatus::completed,
        .created_at = "a",
        .updated_at = "b",
        .expires_at = "c",
        .result = Json{{"name", "web"}, {"deleted", true}},
        .next = "nothing"};
    const auto json = tools::OperationGet::encode(operation);
    CHECK(json["result"] == Json{{"name", "web"}, {"deleted", true}});
    CHECK_FALSE(json.contains("error"));
    Problems problems;
    CHECK(Decode<tools::Operation>::read(json, "", {}, problems)->result == operation.result);
    auto wrong = json;
    wrong["result"] = "text";
    CHECK_FALSE(Decode<tools::Operation>::read(wrong, "", {}, problems).has_value());
    CHECK(problems.error().field == "/result");
}

TEST_CASE("common arguments are refused together with all others", "[catalogue]") {
    const auto refused = tools::ContainerDelete::decode(
        {{"name", "../x"}, {"dry_run", 1}, {"request_id", "\n"}, {"background", "no"}});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().problems.size() == 4);
}

TEST_CASE("tools are found by name, in the order of the alphabet", "[catalogue]") {
    const auto tools = tool_catalogue();
    REQUIRE_FALSE(tools.empty());
    CHECK(std::ranges::is_sorted(tools, {}, &ToolSpec::name));
    CHECK(find_tool("container_create")->title == "Create a container");
    CHECK(find_tool("container_explode") == nullptr);
    std::vector<std::string_view> visited;
    tools::for_each_tool([&visited](auto tool) { visited.push_back(decltype(tool)::name); });
    CHECK(std::ranges::equal(visited, tools, {}, {}, &ToolSpec::name));
}

TEST_CASE("every tool shows at least one success and one error", "[catalogue]") {
    for (const auto& tool : tool_catalogue()) {
        CAPTURE(tool.name);
        const auto examples = parsed(tool.examples);
        CHECK(std::ranges::any_of(examples, [](const Json& e) { return e.contains("result"); }));
        CHECK(std::ranges::any_of(examples, [](const Json& e) { return e.contains("error"); }));
    }
}

TEST_CASE("an example's arguments are refused where it says so, and accepted otherwise",
          "[catalogue]") {
    const auto decode = decoders();
    for (const auto& tool : tool_catalogue()) {
        for (const auto& example : parsed(tool.examples)) {
            CAPTURE(tool.name, example["says"].get<std::string>());
            const auto verdict = decode.at(std::string(tool.name))(example["arguments"]);
            if (example.value("error", "") != "invalid_argument") {
                CHECK(verdict.has_value());
            } else if (!verdict) {
                CHECK(verdict.error().code == ErrorCode::invalid_argument);
                CHECK(verdict.error().field == example["field"].get<std::string>());
            } else {
                // Names of hosts, files, pools and GPUs, and what arguments mean together, are
                // checked where they are used.
                const std::set<std::string_view> checked_later{
                    "ssh_config", "container_fork", "container_export", "container_import",
                    "gpu_attach", "gpu_validate",   "token_create"};
                CHECK(checked_later.contains(tool.name));
            }
        }
    }
}

TEST_CASE("a decoder fills in what the schema says is the default", "[catalogue]") {
    const auto input = tools::ContainerCreate::decode({{"name", "ada"}});
    REQUIRE(input.has_value());
    CHECK(input->image.to_string() == "debian-12");
    CHECK(input->memory_bytes == 2147483648);
    CHECK(input->start);
    CHECK(input->ports.empty());
    const auto ports =
        tools::ContainerCreate::decode({{"name", "ada"},
                                        {"ports", {{{"container_port", 53}, {"protocol", "udp"}}}},
                                        {"start", false}});
    REQUIRE(ports.has_value());
    CHECK(ports->ports.at(0).protocol == tools::Protocol::udp);
    CHECK_FALSE(ports->ports.at(0).host_port.has_value());
    CHECK_FALSE(ports->start);
}

TEST_CASE("a list whose absence means something is told from an empty one", "[catalogue]") {
    const auto env = [](Json arguments) {
        arguments["name"] = "ada";
        return tools::ContainerUpdate::decode(arguments).value().env;
    };
    CHECK_FALSE(env(Json::object()).has_value());
    CHECK(env({{"env", Json::array()}}).value().empty());
    CHECK(env({{"env", {"A=1"}}}).value().size() == 1);
    const auto listing = parsed(find_tool("container_update")->listing);
    CHECK_FALSE(listing["inputSchema"]["properties"]["env"].contains("x-optional"));
}

TEST_CASE("an encoder leaves out what is absent, and a decoder reads what it wrote",
          "[catalogue]") {
    const tools::Gpu gpu{.address = PciAddress::of(0, 0x41, 0, 0),
                         .kind = tools::Gpu::Kind::e_3d,
                         .vendor_id = "10de",
                         .device_id = "2330",
                         .vendor = "NVIDIA",
                         .device = "H100",
                         .health = "ok",
                         .numa_node = 1,
                         .drm_nodes = {"/dev/dri/renderD128"}};
    const auto json = tools::GpuList::encode({.gpus = {gpu}, .total = 1});
    CHECK(to_text(json) ==
          R"({"gpus":[{"address":"0000:41:00.0","kind":"3d","vendor_id":"10de","device_id":"2330",)"
          R"("vendor":"NVIDIA","device":"H100","health":"ok","numa_node":1,)"
          R"("drm_nodes":["/dev/dri/renderD128"]}],"total":1})");
    Problems problems;
    const auto again = Decode<tools::Gpu>::read(json["gpus"][0], "", {}, problems);
    REQUIRE(again.has_value());
    CHECK(again->kind == tools::Gpu::Kind::e_3d);
    CHECK_FALSE(again->driver.has_value());
}
