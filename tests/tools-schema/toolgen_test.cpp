// SPDX-License-Identifier: Apache-2.0
// The generator stops at whatever is outside its subset, with the file and the JSON Pointer.
#include "base/files.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <filesystem>

using namespace berth;

namespace {

const Json errors = Json::parse(R"([{"code": "not_found", "jsonrpc": -32000, "http": 404, "exit": 3,
    "retry": "no", "meaning": "It is not there."}])");

const Json types = Json::parse(R"({"$defs": {
    "Name": {"type": "string", "x-cpp": "ContainerName", "pattern": "^[a-z]+$",
             "description": "A name."},
    "Shade": {"type": "string", "enum": ["red", "blue"], "description": "A shade."},
    "Hole": {"type": "object", "additionalProperties": false, "required": ["width"],
             "description": "A hole.",
             "properties": {"width": {"type": "integer", "description": "Its width."}}},
    "Part": {"type": "object", "additionalProperties": false, "required": ["size"],
             "description": "A part.",
             "properties": {"size": {"type": "integer", "description": "Its size."},
                            "holes": {"type": "array", "maxItems": 4, "description": "Its holes.",
                                      "items": {"$ref": "types.json#/$defs/Hole"}}}},
    "Thing": {"type": "object", "additionalProperties": false, "required": ["name"],
              "description": "A thing.",
              "properties": {"name": {"$ref": "types.json#/$defs/Name"},
                             "parts": {"type": "array", "maxItems": 4, "description": "Its parts.",
                                       "items": {"$ref": "types.json#/$defs/Part"}}}}}})");

const Json common = Json::parse(R"({
    "mutating": {"dry_run": {"type": "boolean", "default": false, "description": "Only look."}},
    "long": {"background": {"type": "boolean", "default": false, "description": "Later."}},
    "concise": {"response_format": {"type": "string", "enum": ["concise", "detailed"],
                                    "default": "concise", "description": "How much."}}})");

const Json tool = Json::parse(R"({
    "name": "thing_make", "title": "Make", "description": "Makes a thing.",
    "annotations": {"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false,
                    "openWorldHint": false},
    "long": true, "concise": {"": ["name", "parts"], "/parts": ["size"], "/parts/holes": ["width"]},
    "toolset": "thing", "scope": "thing.write",
    "cli": {"verb": ["thing", "make"], "positional": ["name"]}, "errors": ["not_found"],
    "inputSchema": {"type": "object", "additionalProperties": false, "required": ["name"],
        "properties": {
            "name": {"$ref": "types.json#/$defs/Name"},
            "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1,
                      "description": "How many."},
            "tags": {"type": "array", "maxItems": 4, "items": {"type": "string"},
                     "description": "Tags."}}},
    "outputSchema": {"$ref": "types.json#/$defs/Thing"},
    "examples": [{"says": "made", "arguments": {"name": "a"}, "result": {"name": "a"}}]})");

/// One change to a declaration: where, to what (null removes), and the pointer of the complaint.
struct Change {
    std::string at;
    std::string value;
    std::string complaint;
};

Json changed(const Json& whole, const Change& change) {
    auto json = whole;
    const Json::json_pointer at(change.at);
    if (change.value == "remove") {
        json[at.parent_pointer()].erase(at.back());
    } else {
        json[at] = Json::parse(change.value);
    }
    return json;
}

/// Everything that toolgen reads.
struct Declared {
    Json errors_json = errors;
    Json types_json = types;
    Json common_json = common;
    Json tool_json = tool;
};

SubprocessResult generate(const Declared& declared, const TemporaryDirectory& directory) {
    const auto& [errors_json, types_json, common_json, tool_json] = declared;
    directory.write("errors.json", errors_json.dump());
    directory.write("types.json", types_json.dump());
    directory.write("common.json", common_json.dump());
    directory.write("thing_make.json", tool_json.dump());
    const auto path = [&directory](const char* name) { return (directory.path() / name).string(); };
    return run_subprocess(
               {.argv = {TOOLGEN, "tools", path("out"), path("errors.json"), path("types.json"),
                         path("common.json"), path("thing_make.json")}})
        .value();
}

void require_refused(const SubprocessResult& result, const std::string& complaint) {
    CAPTURE(result.errors);
    CHECK(result.exit_code == 1);
    CHECK(result.errors.contains(complaint));
}

}  // namespace

TEST_CASE("a declaration inside the subset is generated from", "[toolgen]") {
    const TemporaryDirectory directory;
    const auto result = generate({}, directory);
    CAPTURE(result.errors);
    CHECK(result.exit_code == 0);
    CHECK(std::filesystem::exists(directory.path() / "out/thing_make.h"));
    SECTION("and what did not change is not written again") {
        const auto header = directory.path() / "out/thing_make.h";
        const auto before = std::filesystem::last_write_time(header);
        CHECK(generate({}, directory).exit_code == 0);
        CHECK(std::filesystem::last_write_time(header) == before);
    }
}

TEST_CASE("a tool outside the subset is refused with its pointer", "[toolgen]") {
    const auto change = GENERATE(values<Change>({
        {"/name", R"("thing")", ": /name: must match"},
        {"/name", R"("thing-make")", ": /name: must match"},
        {"/name", R"("a_abcdefghijklmnopqrstuvwxyzabcdefghijklmno")", ": /name: must match"},
        {"/name", R"("thing_other")", ": /name: must be the file's name"},
        {"/title", "remove", ": /title: is missing"},
        {"/description", R"("")", ": /description: must be a text"},
        {"/extra", "1", ": /extra: is not allowed here"},
        {"/annotations/openWorldHint", "remove", ": /annotations/openWorldHint: is missing"},
        {"/annotations/openWorldHint", R"("no")", ": /annotations/openWorldHint: must be true"},
        {"/errors/0", R"("exploded")", ": /errors/0: is not a code of errors.json"},
        {"/cli/verb", R"(["thing"])", ": /cli/verb: "},
        {"/cli/positional", R"(["nothing"])", ": /cli/positional/0: names no property"},
        {"/cli/positional", R"(["tags", "name"])", ": /cli/positional/0: only the last"},
        {"/cli/from_file", R"(["nothing"])", ": /cli/from_file/0: names no property"},
        {"/inputSchema/oneOf", "[]", ": /inputSchema/oneOf: is not allowed here"},
        {"/inputSchema/type", R"(["object", "null"])", ": /inputSchema/type: must be one of"},
        {"/inputSchema/additionalProperties", "remove",
         ": /inputSchema/additionalProperties: must be false"},
        {"/inputSchema/additionalProperties", "true",
         ": /inputSchema/additionalProperties: must be false"},
        {"/inputSchema/required/1", R"("nothing")", ": /inputSchema/required/1: names no property"},
        {"/inputSchema/required/1", R"("count")",
         ": /inputSchema/required/1: names a property that has a default"},
        {"/inputSchema/properties/Bad", R"({"type":"string","description":"x"})",
         ": /inputSchema/properties/Bad: must be named"},
        {"/inputSchema/properties/count", "true",
         ": /inputSchema/properties/count: must be a schema"},
        {"/inputSchema/properties/count/description", "remove",
         ": /inputSchema/properties/count/description: is missing"},
        {"/inputSchema/properties/count/type", R"("number")",
         ": /inputSchema/properties/count/type: "},
        {"/inputSchema/properties/count/default", "10",
         ": /inputSchema/properties/count/default: "},
        {"/inputSchema/properties/count/default", R"("1")",
         ": /inputSchema/properties/count/default: "},
        {"/inputSchema/properties/count/minimum", "1.5",
         ": /inputSchema/properties/count/minimum: "},
        {"/inputSchema/properties/count/multipleOf", "2",
         ": /inputSchema/properties/count/multipleOf: "},
        {"/inputSchema/properties/count/deprecated", "false",
         ": /inputSchema/properties/count/deprecated: is true or left out"},
        {"/inputSchema/properties/count/deprecated", "true",
         ": /inputSchema/properties/count/deprecated: needs a description that begins with 'Use '"},
        {"/inputSchema/properties/name/deprecated", "true",
         ": /inputSchema/properties/name/deprecated: needs a description"},
        {"/inputSchema/deprecated", "true", ": /inputSchema/deprecated: is not allowed here"},
        {"/inputSchema/properties/tags/maxItems", "remove",
         ": /inputSchema/properties/tags/maxItems: is missing"},
        {"/inputSchema/properties/tags/maxItems", "-1",
         ": /inputSchema/properties/tags/maxItems: "},
        {"/inputSchema/properties/tags/items", "remove",
         ": /inputSchema/properties/tags/items: is missing"},
        {"/inputSchema/properties/tags/items/pattern", R"("a")",
         ": /inputSchema/properties/tags/items/pattern: is only for named types"},
        {"/inputSchema/properties/tags/x-optional", "1",
         ": /inputSchema/properties/tags/x-optional: is true or left out"},
        {"/inputSchema/properties/count/x-optional", "true",
         ": /inputSchema/properties/count/x-optional: is not allowed here"},
        {"/inputSchema/properties/tags/items/enum", "[]",
         ": /inputSchema/properties/tags/items/enum: "},
        {"/inputSchema/properties/tags/items",
         R"({"type":"array","maxItems":1,"items":{"type":"string"}})",
         ": /inputSchema/properties/tags/items: an array must be"},
        {"/inputSchema/properties/tags",
         R"({"type":"object","additionalProperties":false,"properties":{},"description":"x"})",
         ": /inputSchema/properties/tags: an object inside an object"},
        {"/inputSchema/properties/name/$ref", R"("types.json#/$defs/Nothing")",
         ": /inputSchema/properties/name/$ref: "},
        {"/inputSchema/properties/name/$ref", R"("https://example.com/x")",
         ": /inputSchema/properties/name/$ref: "},
        {"/inputSchema/properties/name/minLength", "1",
         ": /inputSchema/properties/name/minLength: "},
        {"/outputSchema/$ref", R"("types.json#/$defs/Name")",
         ": /outputSchema: must be of type object"},
        {"/outputSchema", R"({"type":"string"})", ": /outputSchema: must be of type object"},
        {"/long", "false", ": /long: is true or left out"},
        {"/annotations/readOnlyHint", "true", ": /long: is only for tools that change things"},
        {"/concise", "[]", ": /concise: must be an object"},
        {"/concise", R"({"parts":["size"]})", ": /concise/parts: must be a JSON Pointer"},
        {"/concise", R"({"/holes":["width"]})", ": /concise/~1holes: leads to no object"},
        {"/concise", R"({"/name":["width"]})", ": /concise/~1name: leads to no object"},
        {"/concise", R"({"/name/x":["width"]})", ": /concise/~1name~1x: leads to no object"},
        {"/concise", R"({"":"name"})", ": /concise/: must be a list of names"},
        {"/concise", R"({"/parts":["width"]})", ": /concise/~1parts/0: names no member"},
        {"/concise", R"({"/parts":[1]})", ": /concise/~1parts/0: must be a name"},
        {"/inputSchema/properties/dry_run", R"({"type":"boolean","description":"x"})",
         ": /inputSchema/properties/dry_run: is a property of common.json"},
        {"/examples/0/error", R"("not_found")", ": /examples/0: must have a result or an error"},
        {"/examples/0/arguments", "[]", ": /examples/0/arguments: must be an object"},
        {"/examples/0", R"({"says":"x","arguments":{},"error":"denied"})",
         ": /examples/0/error: is not among"},
    }));
    CAPTURE(change.at, change.value);
    const TemporaryDirectory directory;
    require_refused(generate({.tool_json = changed(tool, change)}, directory),
                    (directory.path() / "thing_make.json").string() + change.complaint);
    CHECK_FALSE(std::filesystem::exists(directory.path() / "out"));
}

TEST_CASE("a type outside the subset is refused with its pointer", "[toolgen]") {
    const auto change = GENERATE(values<Change>({
        {"/$defs/Shade/pattern", R"("a")", "types.json: /$defs/Shade/pattern: is only for"},
        {"/$defs/Shade/description", "remove", "types.json: /$defs/Shade/description: is missing"},
        {"/$defs/lower", R"({"type":"string","description":"x"})", "types.json: /$defs/lower: "},
        {"/$defs/Thing/properties/other", R"({"$ref":"types.json#/$defs/Thing"})",
         "types.json: /$defs/Thing/properties/other/$ref: may only name a type that stands above"},
        {"/$defs/Thing/properties/any",
         R"({"type":"object","x-any":true,"properties":{},"description":"x"})",
         "types.json: /$defs/Thing/properties/any/properties: is not allowed here"},
        {"/$defs/Thing/properties/any", R"({"type":"object","x-any":1,"description":"x"})",
         "types.json: /$defs/Thing/properties/any/x-any: is true or left out"},
        {"/$defs/Any", R"({"type":"object","x-any":true,"description":"x"})",
         "types.json: /$defs/Any: an object of any kind must be a property"},
        {"/$defs/Shade/const", R"("red")", "types.json: /$defs/Shade/const: "},
    }));
    CAPTURE(change.at, change.value);
    const TemporaryDirectory directory;
    require_refused(generate({.types_json = changed(types, change)}, directory), change.complaint);
}

TEST_CASE("common properties outside the subset are refused with their pointer", "[toolgen]") {
    const auto change = GENERATE(values<Change>({
        {"/long", "remove", "common.json: /long: is missing"},
        {"/short", "{}", "common.json: /short: is not allowed here"},
        {"/long", "[]", "common.json: /long: must be an object"},
        {"/long/Bad", R"({"type":"boolean","description":"x"})", "common.json: /long/Bad: "},
        {"/long/background/description", "remove",
         "common.json: /long/background/description: is missing"},
        {"/long/background/default", "1", "common.json: /long/background/default: is not a value"},
    }));
    CAPTURE(change.at, change.value);
    const TemporaryDirectory directory;
    require_refused(generate({.common_json = changed(common, change)}, directory),
                    change.complaint);
}

TEST_CASE("a tool takes the arguments of the classes it belongs to", "[toolgen]") {
    const TemporaryDirectory directory;
    REQUIRE(generate({}, directory).exit_code == 0);
    const auto header = read_file((directory.path() / "out/thing_make.h").string()).value();
    CHECK(header.contains("bool dry_run = false;"));
    CHECK(header.contains("bool background = false;"));
    CHECK(header.contains("ResponseFormat response_format = ResponseFormat::concise;"));
    CHECK(header.contains("read_only = false;"));
}

TEST_CASE("an error table with a hole is refused", "[toolgen]") {
    const auto change = GENERATE(values<Change>({
        {"/0/exit", "remove", "errors.json: /0/exit: is missing"},
        {"/0/http", R"("404")", "errors.json: /0/http: must be an integer"},
        {"/0/code", R"("Not Found")", "errors.json: /0/code: "},
    }));
    const TemporaryDirectory directory;
    require_refused(generate({.errors_json = changed(errors, change)}, directory),
                    change.complaint);
}

TEST_CASE("a file that is no JSON is refused by name", "[toolgen]") {
    const TemporaryDirectory directory;
    directory.write("errors.json", "[{]");
    const auto path = (directory.path() / "errors.json").string();
    const auto result =
        run_subprocess({.argv = {TOOLGEN, "errors", directory.path().string(), path}});
    require_refused(result.value(), path);
}
