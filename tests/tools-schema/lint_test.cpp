// SPDX-License-Identifier: Apache-2.0
// One bad tool for each rule, and the real catalogue.
#include "tools-schema/registry/lint.h"

#include "tests/support/catch.h"
#include "tools-schema/registry/tool_spec.h"

using namespace berth;

namespace {

const Json good = Json::parse(R"({
    "name": "thing_make", "title": "Make", "description": "Makes a thing.",
    "inputSchema": {"type": "object", "additionalProperties": false, "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "Its name."},
            "size": {"type": "integer", "default": 1, "description": "Its size."},
            "colour": {"type": "string", "description": "Its colour; left out, it has none."},
            "parts": {"type": "array", "description": "Parts (default: none).",
                      "items": {"type": "object", "properties": {
                          "size": {"type": "integer", "default": 1, "description": "A size."}}}}}},
    "outputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    "annotations": {"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false,
                    "openWorldHint": false}})");

/// One change to a listing: where, to what (remove: away), and the complaint.
struct Change {
    std::string at;
    std::string value;
    std::string complaint;
};

Json changed(const Change& change) {
    auto json = good;
    const Json::json_pointer at(change.at);
    if (change.value == "remove") {
        json[at.parent_pointer()].erase(at.back());
    } else {
        json[at] = Json::parse(change.value);
    }
    return json;
}

std::vector<std::string> lint_one(const Json& listing) {
    return lint({&listing, 1});
}

}  // namespace

TEST_CASE("a tool as it should be is left in peace", "[lint]") {
    CHECK(lint_one(good).empty());
}

TEST_CASE("the whole catalogue passes", "[lint]") {
    std::vector<Json> listings;
    for (const auto& tool : tool_catalogue()) {
        listings.push_back(parse_json(tool.listing).value());
    }
    CHECK(lint(listings) == std::vector<std::string>{});
}

TEST_CASE("what clients stumble over is found, with its pointer", "[lint]") {
    const auto change = GENERATE(values<Change>({
        {"/name", R"("Thing")", "Thing: /name: must match"},
        {"/name", R"("thing-make")", "thing-make: /name: must match"},
        {"/name", R"("a12345678901234567890123456789012345678901")", ": /name: must match"},
        {"/name", "remove", ": /name: must match"},
        {"/title", R"("")", "thing_make: /title: is missing"},
        {"/description", "remove", "thing_make: /description: is missing"},
        {"/annotations", "remove", "thing_make: /annotations/readOnlyHint: must be true or false"},
        {"/annotations/openWorldHint", "remove",
         "thing_make: /annotations/openWorldHint: must be true or false"},
        {"/annotations/idempotentHint", "1",
         "thing_make: /annotations/idempotentHint: must be true or false"},
        {"/inputSchema", "remove", "thing_make: /inputSchema: must be an object"},
        {"/inputSchema", "true", "thing_make: /inputSchema: must be an object"},
        {"/inputSchema/type", R"("array")", "thing_make: /inputSchema/type: must be object"},
        {"/inputSchema/oneOf", "[]", "thing_make: /inputSchema/oneOf: must not stand"},
        {"/inputSchema/anyOf", "[]", "thing_make: /inputSchema/anyOf: must not stand"},
        {"/inputSchema/allOf", "[]", "thing_make: /inputSchema/allOf: must not stand"},
        {"/inputSchema/if", "{}", "thing_make: /inputSchema/if: must not stand"},
        {"/inputSchema/not", "{}", "thing_make: /inputSchema/not: must not stand"},
        {"/inputSchema/$ref", R"("#")", "thing_make: /inputSchema/$ref: must not stand"},
        {"/outputSchema/oneOf", "[]", "thing_make: /outputSchema/oneOf: must not stand"},
        {"/outputSchema/type", "remove", "thing_make: /outputSchema/type: must be object"},
        {"/outputSchema/properties/name", "true",
         "thing_make: /outputSchema/properties/name: must be a schema object"},
        {"/inputSchema/properties/name", "true",
         "thing_make: /inputSchema/properties/name: must be a schema object"},
        {"/inputSchema/properties/name/type", R"(["string","null"])",
         "thing_make: /inputSchema/properties/name/type: must be one type"},
        {"/inputSchema/properties/name/type", "remove",
         "thing_make: /inputSchema/properties/name/type: must be one type"},
        {"/inputSchema/properties/parts/items/type", "remove",
         "thing_make: /inputSchema/properties/parts/items/type: must be one type"},
        {"/inputSchema/properties/name/description", "remove",
         "thing_make: /inputSchema/properties/name/description: is missing"},
        {"/inputSchema/properties/parts/items/properties/size/description", R"("")",
         "thing_make: /inputSchema/properties/parts/items/properties/size/description: is missing"},
        {"/inputSchema/properties/size/default", "remove",
         "thing_make: /inputSchema/properties/size: is optional and does not say"},
    }));
    CAPTURE(change.at, change.value);
    const auto found = lint_one(changed(change));
    REQUIRE_FALSE(found.empty());
    CHECK(found.front().contains(change.complaint));
}

TEST_CASE("a tool that is longer than a tool should be is found", "[lint]") {
    auto json = good;
    json["description"] = std::string(listing_bytes_max, 'x');
    CHECK(lint_one(json) == std::vector<std::string>{"thing_make: : is longer than 8192 bytes"});
    CHECK(lint_one(Json("text")) == std::vector<std::string>{": : must be an object"});
}

TEST_CASE("names are unique and in order", "[lint]") {
    auto other = good;
    other["name"] = "thing_break";
    CHECK(lint(std::vector{good, good}) ==
          std::vector<std::string>{"thing_make: /name: is there twice"});
    CHECK(lint(std::vector{good, other}) ==
          std::vector<std::string>{"thing_break: /name: stands behind 'thing_make'"});
    CHECK(lint(std::vector{other, good}).empty());
}
