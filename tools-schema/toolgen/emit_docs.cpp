// SPDX-License-Identifier: Apache-2.0
// docs/tools.md and docs/errors.md, for people who call the tools.
#include "tools-schema/toolgen/emit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace berth::toolgen {
namespace {

constexpr std::string_view notice =
    "<!-- Generated from tools-schema/ by the build target docs_generated. Do not edit. -->\n\n";

std::string in_table(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
        text.insert(at, "\\");
    }
    return text;
}

std::string range_text(const Json& schema, const char* low, const char* high,
                       std::string_view unit) {
    if (schema.contains(low) && schema.contains(high)) {
        return fmt::format(", {} to {}{}", to_text(schema[low]), to_text(schema[high]), unit);
    }
    if (schema.contains(low)) return fmt::format(", at least {}{}", to_text(schema[low]), unit);
    if (schema.contains(high)) return fmt::format(", at most {}{}", to_text(schema[high]), unit);
    return "";
}

/// "integer, 1 to 65535", "list of [PortRequest](#portrequest), at most 64 items".
std::string type_text(const Json& schema, const Json& types) {
    if (const auto name = reference_name(schema); !name.empty()) {
        std::string anchor = name;
        std::ranges::transform(anchor, anchor.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return fmt::format("[{}](#{})", name, anchor);
    }
    const auto type = text_of(schema, "type");
    if (type == "array") {
        return fmt::format("list of {}{}", type_text(schema["items"], types),
                           range_text(schema, "minItems", "maxItems", " items"));
    }
    if (schema.contains("enum")) {
        return fmt::format("`{}`",
                           fmt::join(schema["enum"].get<std::vector<std::string>>(), "` or `"));
    }
    return type + range_text(schema, "minimum", "maximum", "") +
           range_text(schema, "minLength", "maxLength", " characters");
}

std::string field_table(const Json& schema, const Json& types, bool input) {
    if (schema["properties"].empty()) return "none\n";
    const Json required = schema.value("required", Json::array());
    auto text = fmt::format("| field | type | {} | meaning |\n| --- | --- | --- | --- |\n",
                            input ? "default" : "present");
    for (const auto& [name, property] : schema["properties"].items()) {
        const auto whole = resolved(property, types);
        std::string presence = input ? "–" : "sometimes";
        if (whole.contains("default")) presence = fmt::format("`{}`", to_text(whole["default"]));
        if (std::ranges::find(required, Json(name)) != required.end()) {
            presence = input ? "**required**" : "always";
        }
        text += fmt::format("| `{}` | {} | {} | {} |\n", name, in_table(type_text(property, types)),
                            presence, in_table(text_of(whole, "description")));
    }
    return text;
}

std::string hints_text(const Json& hints) {
    std::vector<std::string> said;
    said.emplace_back(hints["readOnlyHint"] ? "Reads only" : "Changes things");
    if (hints["destructiveHint"]) said.emplace_back("can destroy");
    if (hints["idempotentHint"]) said.emplace_back("may be repeated safely");
    if (hints["openWorldHint"]) said.emplace_back("reaches beyond the host");
    return fmt::format("{}", fmt::join(said, ", "));
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) {
        return c == '_' ? '-' : static_cast<char>(std::toupper(c));
    });
    return text;
}

/// "berth container create NAME [--image VALUE] …", as mcp-server/cli reads it.
std::string synopsis(const Json& tool, const Json& types) {
    const auto& schema = tool["inputSchema"];
    const Json positional = tool["cli"].value("positional", Json::array());
    const Json required = schema.value("required", Json::array());
    auto text = fmt::format("berth {}",
                            fmt::join(tool["cli"]["verb"].get<std::vector<std::string>>(), " "));
    for (const auto& name : positional) {
        auto word = upper(name.get<std::string>());
        if (schema["properties"][name.get<std::string>()].value("type", "") == "array")
            word += "...";
        const bool needed = std::ranges::find(required, name) != required.end();
        text += needed ? " " + word : fmt::format(" [{}]", word);
    }
    for (const auto& [name, property] : schema["properties"].items()) {
        if (std::ranges::find(positional, Json(name)) != positional.end()) continue;
        const auto whole = resolved(property, types);
        auto option = name;
        std::ranges::replace(option, '_', '-');
        const auto type = text_of(whole, "type");
        if (type == "boolean") {
            const bool on = whole.contains("default") && whole["default"] == true;
            text += fmt::format(" [--{}{}]", on ? "no-" : "", option);
        } else {
            text += fmt::format(" [--{} {}]{}", option, type == "integer" ? "N" : "VALUE",
                                type == "array" ? "..." : "");
        }
    }
    return text;
}

std::string example_text(const Json& example) {
    std::string outcome;
    if (example.contains("result")) {
        outcome = fmt::format("`{}`", to_text(example["result"]));
    } else {
        outcome = fmt::format("error `{}`", text_of(example, "error"));
        if (example.contains("field"))
            outcome += fmt::format(" at `{}`", text_of(example, "field"));
    }
    return fmt::format("- {}: `{}` → {}\n", text_of(example, "says"), to_text(example["arguments"]),
                       outcome);
}

/// "Also [`dry_run`](#…), …": what the tool takes because of the classes it belongs to.
std::string common_text(const Json& tool, const Json& common) {
    std::string names;
    for (const auto& name : classes_of(tool)) {
        for (const auto& [key, property] : common[name].items()) {
            names += fmt::format("{}`{}`", names.empty() ? "" : ", ", key);
        }
    }
    return names.empty() ? ""
                         : fmt::format(
                               "\nAlso {}: see [arguments of many tools]"
                               "(#arguments-of-many-tools).\n",
                               names);
}

/// What is left of the output in concise format, list by list.
std::string concise_text(const Json& tool) {
    if (!tool.contains("concise")) return "";
    std::vector<std::string> parts;
    for (const auto& [pointer, kept] : tool["concise"].items()) {
        parts.push_back(fmt::format("{}`{}`",
                                    pointer.empty() ? "" : fmt::format("of `{}` ", pointer),
                                    fmt::join(kept.get<std::vector<std::string>>(), "`, `")));
    }
    return fmt::format("\nIn concise format only {}.\n", fmt::join(parts, "; "));
}

std::string common_section(const Json& common, const Json& types) {
    std::string text =
        "## Arguments of many tools\n\nA dry run answers `{dry_run: true, would, target, state}`: "
        "what "
        "would happen in one line, the\nobject as it is now, and a digest of that. A call that "
        "goes "
        "on in the background answers an\noperation instead of its result.\n\n"
        "| field | taken by | type | default | meaning |\n| --- | --- | --- | --- | --- |\n";
    const std::vector<std::pair<std::string, std::string>> classes{
        {"mutating", "tools that change things"},
        {"long", "tools that may take long"},
        {"concise", "tools with two formats"}};
    for (const auto& [name, takers] : classes) {
        for (const auto& [key, property] : common[name].items()) {
            const auto whole = resolved(property, types);
            const auto fallback =
                whole.contains("default") ? fmt::format("`{}`", to_text(whole["default"])) : "–";
            text += fmt::format("| `{}` | {} | {} | {} | {} |\n", key, takers,
                                in_table(type_text(property, types)), fallback,
                                in_table(text_of(whole, "description")));
        }
    }
    return text + "\n";
}

std::string tool_section(const Json& tool, const Sources& sources) {
    const Json& types = sources.types;
    const Json& errors = tool["errors"];
    auto text = fmt::format(
        "## {}\n\n{}\n\n{}. Toolset `{}`{}, scope `{}`.\n\n```\n{}\n```\n\n### Input\n\n{}\n",
        text_of(tool, "name"), text_of(tool, "description"), hints_text(tool["annotations"]),
        text_of(tool, "toolset"), tool.contains("default") ? " (offered when asked for)" : "",
        text_of(tool, "scope"), synopsis(tool, types),
        field_table(tool["inputSchema"], types, true) + common_text(tool, sources.common));
    const auto output = tool["outputSchema"];
    text += "### Output\n\n";
    text += reference_name(output).empty() ? field_table(output, types, false)
                                           : "A " + type_text(output, types) + ".\n";
    text += concise_text(tool);
    text += "\n### Errors\n\n`invalid_argument`";
    for (const auto& code : errors) text += fmt::format(", `{}`", code.get<std::string>());
    text += "; see [errors.md](errors.md).\n\n### Examples\n\n";
    for (const auto& example : tool["examples"]) text += example_text(example);
    return text + "\n";
}

std::string type_section(const std::string& name, const Json& type, const Json& types) {
    auto text = fmt::format("### {}\n\n{}\n\n", name, text_of(type, "description"));
    if (text_of(type, "type") == "object") return text + field_table(type, types, false) + "\n";
    return text + type_text(type, types) + "\n\n";
}

}  // namespace

std::string tools_page(const Sources& sources) {
    std::string text(notice);
    text +=
        "# Tools\n\nEvery tool is an MCP tool, a JSON-RPC method and a verb of the command line. "
        "In its output,\na field that is not always present is left out when it has no value.\n\n"
        "| tool | what it does | effects |\n| --- | --- | --- |\n";
    for (const auto& [path, tool] : sources.tools) {
        text += fmt::format("| [{0}](#{0}) | {1} | {2} |\n", text_of(tool, "name"),
                            text_of(tool, "title"), hints_text(tool["annotations"]));
    }
    text += "\n";
    for (const auto& [path, tool] : sources.tools) text += tool_section(tool, sources);
    text += common_section(sources.common, sources.types);
    text += "## Types\n\n";
    for (const auto& [name, type] : sources.types.items()) {
        text += type_section(name, type, sources.types);
    }
    text.pop_back();
    return text;
}

std::string errors_page(const Json& errors) {
    std::string text(notice);
    text +=
        "# Errors\n\nAn error has a `code` for programs, a `message` for people, the `field` at "
        "fault as a JSON Pointer\ninto the arguments, a `hint` that names the next step, and "
        "`problems` when several fields are wrong,\n"
        "and `details` for what a program needs besides. Fields that say nothing are left out. "
        "Over "
        "MCP\nevery error but `internal` is a tool result with `isError`.\n\n"
        "## The next call\n\n"
        "Where a call puts the fault right or shows what is missing, the error has it under "
        "`next`, and the hint ends with the\nsame words. It can be made exactly as it stands:\n\n"
        "```json\n"
        "{\"code\":\"busy\",\"message\":\"container 'ada' is paused\",\"field\":\"/container\",\n"
        " \"hint\":\"call container_resume {\\\"name\\\":\\\"ada\\\"}\",\n"
        " \"next\":{\"tool\":\"container_resume\",\"arguments\":{\"name\":\"ada\"}},\"retry\":"
        "\"later\"}\n"
        "```\n\n"
        "The command line tells it as a command: `berth container resume ada`. An error without "
        "`next` is for somebody to\ndecide: the caller, where the input is wrong; a person, where "
        "something is protected or has to be confirmed; the\noperator, where a tool is not offered "
        "or berthd is down. The hint says who and what.\n\n"
        "## Codes\n\n"
        "| code | meaning | JSON-RPC | HTTP | exit code | retry helps |\n"
        "| --- | --- | --- | --- | --- | --- |\n";
    for (const auto& row : errors) {
        text += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", text_of(row, "code"),
                            in_table(text_of(row, "meaning")), to_text(row["jsonrpc"]),
                            to_text(row["http"]), to_text(row["exit"]), text_of(row, "retry"));
    }
    return text;
}

}  // namespace berth::toolgen
