// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/lint.h"

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth {
namespace {

constexpr std::size_t name_characters_max = 40;
constexpr std::array combinators{"oneOf", "anyOf", "allOf", "if", "not", "$ref"};
constexpr std::array annotations{"readOnlyHint", "destructiveHint", "idempotentHint",
                                 "openWorldHint"};

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= name_characters_max && name.front() >= 'a' &&
           name.front() <= 'z' && std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

/// A default that a model can read, as a member or in words.
bool states_default(const Json& property) {
    const auto description = text_of(property, "description");
    return property.contains("default") ||
           std::ranges::any_of(std::array{"default", "left out", "required"},
                               [&](const char* word) { return description.contains(word); });
}

/// The rules, applied to one listing.
class Linter {
public:
    Linter(std::string tool, std::vector<std::string>& found)
        : tool_(std::move(tool)), found_(found) {}

    void listing(const Json& listing);

private:
    void refuse(const std::string& at, std::string_view why) {
        found_.push_back(fmt::format("{}: {}: {}", tool_, at, why));
    }
    void root(const Json& listing, const char* key, bool input);
    void schema(const Json& schema, const std::string& at, bool input);
    void properties(const Json& schema, const std::string& at, bool input);

    std::string tool_;
    std::vector<std::string>& found_;
};

void Linter::listing(const Json& listing) {
    if (!is_name(tool_)) refuse("/name", "must match ^[a-z][a-z0-9_]{0,39}$");
    for (const auto* key : {"title", "description"}) {
        if (text_of(listing, key).empty()) refuse(pointer_to("", key), "is missing");
    }
    const Json hints = listing.value("annotations", Json::object());
    for (const auto* hint : annotations) {
        if (!hints.is_object() || !hints.contains(hint) || !hints[hint].is_boolean()) {
            refuse(pointer_to("/annotations", hint), "must be true or false");
        }
    }
    root(listing, "inputSchema", true);
    if (listing.contains("outputSchema")) root(listing, "outputSchema", false);
    if (to_text(listing).size() > listing_bytes_max) {
        refuse("", fmt::format("is longer than {} bytes", listing_bytes_max));
    }
}

void Linter::root(const Json& listing, const char* key, bool input) {
    const auto at = pointer_to("", key);
    const auto found = listing.find(key);
    if (found == listing.end() || !found->is_object()) return refuse(at, "must be an object");
    for (const auto* combinator : combinators) {
        if (found->contains(combinator)) {
            refuse(pointer_to(at, combinator), "must not stand at the root of a schema");
        }
    }
    if (text_of(*found, "type") != "object") refuse(pointer_to(at, "type"), "must be object");
    properties(*found, at, input);
}

void Linter::schema(const Json& schema, const std::string& at, bool input) {
    if (!schema.is_object()) return refuse(at, "must be a schema object");
    if (text_of(schema, "type").empty()) refuse(pointer_to(at, "type"), "must be one type");
    if (schema.contains("items")) this->schema(schema["items"], pointer_to(at, "items"), input);
    properties(schema, at, input);
}

void Linter::properties(const Json& schema, const std::string& at, bool input) {
    const Json required = schema.value("required", Json::array());
    const Json all = schema.value("properties", Json::object());
    for (const auto& [name, property] : all.items()) {
        const auto here = pointer_to(pointer_to(at, "properties"), name);
        this->schema(property, here, input);
        if (!input || !property.is_object()) continue;
        if (text_of(property, "description").empty()) {
            refuse(pointer_to(here, "description"), "is missing");
        }
        if (std::ranges::find(required, Json(name)) == required.end() &&
            !states_default(property)) {
            refuse(here, "is optional and does not say what holds when it is left out");
        }
    }
}

}  // namespace

std::vector<std::string> lint(std::span<const Json> listings) {
    std::vector<std::string> found;
    std::string before;
    for (const auto& listing : listings) {
        const auto name = listing.is_object() ? text_of(listing, "name") : "";
        if (!listing.is_object()) {
            found.emplace_back(": : must be an object");
            continue;
        }
        Linter(name, found).listing(listing);
        if (name == before) found.push_back(fmt::format("{}: /name: is there twice", name));
        if (name < before) {
            found.push_back(fmt::format("{}: /name: stands behind '{}'", name, before));
        }
        before = name;
    }
    return found;
}

}  // namespace berth
