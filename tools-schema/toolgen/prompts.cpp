// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/toolgen/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

namespace berth::toolgen {
namespace {

constexpr std::string_view fence = "---";

bool is_word(std::string_view text) {
    return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

/// What stands behind `prefix`, when that is how the text begins.
std::optional<std::string> behind(std::string_view text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return std::nullopt;
    return std::string(text.substr(prefix.size()));
}

/// Reads the front matter line by line.
class FrontMatter {
public:
    explicit FrontMatter(Prompt& prompt) : prompt_(prompt) {}

    /// What is wrong with the line, or "".
    std::string line(const std::string& text);

private:
    static std::string once(std::string& member, const std::string& value) {
        if (!member.empty() || value.empty()) return "must be given once, with a text";
        member = value;
        return "";
    }
    std::string argument(const std::string& item);
    std::string injection(const std::string& item);

    Prompt& prompt_;
    std::string list_;  // the list that items belong to
};

std::string FrontMatter::line(const std::string& text) {
    if (text == "arguments:" || text == "inject:") {
        list_ = text;
        return "";
    }
    if (const auto item = behind(text, "- ")) {
        if (list_ == "arguments:") return argument(*item);
        return list_.empty() ? "belongs to no list" : injection(*item);
    }
    list_.clear();
    if (const auto title = behind(text, "title: ")) return once(prompt_.title, *title);
    if (const auto words = behind(text, "description: ")) return once(prompt_.description, *words);
    return "must be title:, description:, arguments:, inject: or an item of the last two";
}

std::string FrontMatter::argument(const std::string& item) {
    constexpr std::string_view form = "must be `- name: description (required)` or (default: …)";
    const auto colon = item.find(": ");
    const auto bracket = item.rfind(" (");
    if (colon == std::string::npos || bracket == std::string::npos || bracket < colon + 2 ||
        !item.ends_with(')')) {
        return std::string(form);
    }
    PromptArgument argument{.name = item.substr(0, colon),
                            .description = item.substr(colon + 2, bracket - colon - 2)};
    const auto marker = item.substr(bracket + 2, item.size() - bracket - 3);
    argument.required = marker == "required";
    if (const auto fallback = behind(marker, "default: ")) argument.fallback = *fallback;
    if (!is_word(argument.name) || argument.description.empty() ||
        argument.required == !argument.fallback.empty()) {
        return std::string(form);
    }
    if (std::ranges::count(prompt_.arguments, argument.name, &PromptArgument::name) != 0) {
        return fmt::format("names '{}' twice", argument.name);
    }
    prompt_.arguments.push_back(std::move(argument));
    return "";
}

std::string FrontMatter::injection(const std::string& item) {
    const auto space = item.find(' ');
    auto arguments =
        parse_json(space == std::string::npos ? "" : std::string_view(item).substr(space + 1));
    if (!arguments || !arguments->is_object()) return "must be `- tool {arguments as JSON}`";
    prompt_.inject.push_back({.tool = item.substr(0, space), .arguments = *std::move(arguments)});
    return "";
}

/// The names between `open` and `close` in the text; "" for one that is not closed.
std::vector<std::string> between(std::string_view text, std::string_view open,
                                 std::string_view close) {
    std::vector<std::string> names;
    for (auto at = text.find(open); at != std::string_view::npos; at = text.find(open, at)) {
        const auto end = text.find(close, at + open.size());
        if (end == std::string_view::npos) {
            names.emplace_back();
            break;
        }
        names.emplace_back(text.substr(at + open.size(), end - at - open.size()));
        at = end + close.size();
    }
    return names;
}

class PromptChecker {
public:
    PromptChecker(const Prompt& prompt, const Sources& sources)
        : prompt_(prompt), sources_(sources) {}

    std::vector<std::string> check();

private:
    void refuse(std::string_view why) {
        problems_.push_back(fmt::format("{}: {}", prompt_.path, why));
    }
    const Json* find_tool(const std::string& name) const {
        const auto found = std::ranges::find_if(
            sources_.tools, [&](const auto& tool) { return text_of(tool.json, "name") == name; });
        return found == sources_.tools.end() ? nullptr : &found->json;
    }
    void injection(const PromptInjection& injection);
    void placeholders(std::string_view text, bool required);
    void words();

    const Prompt& prompt_;
    const Sources& sources_;
    std::set<std::string> used_ = {};
    std::vector<std::string> problems_ = {};
};

void PromptChecker::placeholders(std::string_view text, bool required) {
    for (const auto& name : between(text, "{{", "}}")) {
        const auto found = std::ranges::find(prompt_.arguments, name, &PromptArgument::name);
        used_.insert(name);
        if (name.empty()) {
            refuse("has a {{ without a name and a }} behind it");
        } else if (found == prompt_.arguments.end()) {
            refuse(fmt::format("{{{{{}}}}} is no argument of the prompt", name));
        } else if (required && !found->required) {
            refuse(fmt::format("{{{{{}}}}} must be required to be part of a call", name));
        }
    }
}

void PromptChecker::injection(const PromptInjection& injection) {
    const auto* tool = find_tool(injection.tool);
    if (tool == nullptr) return refuse(fmt::format("there is no tool '{}'", injection.tool));
    if ((*tool)["annotations"]["readOnlyHint"] != true) {
        refuse(fmt::format("injects '{}', which changes things", injection.tool));
    }
    const auto& schema = (*tool)["inputSchema"];
    for (const auto& [key, value] : injection.arguments.items()) {
        if (!schema["properties"].contains(key)) {
            refuse(fmt::format("'{}' has no argument '{}'", injection.tool, key));
        }
        placeholders(to_text(value), true);
    }
    for (const auto& key : schema.value("required", std::vector<std::string>{})) {
        if (!injection.arguments.contains(key)) {
            refuse(fmt::format("'{}' needs the argument '{}'", injection.tool, key));
        }
    }
}

/// A backticked word like container_exec names a tool, or an argument that some tool takes.
void PromptChecker::words() {
    for (const auto& word : between(prompt_.text, "`", "`")) {
        if (!is_word(word) || !word.contains('_')) continue;
        const bool known = std::ranges::any_of(sources_.tools, [&word](const auto& tool) {
            return text_of(tool.json, "name") == word ||
                   tool.json["inputSchema"]["properties"].contains(word);
        });
        if (!known) refuse(fmt::format("`{}` is no tool and no argument of one", word));
    }
}

std::vector<std::string> PromptChecker::check() {
    if (!is_word(prompt_.name)) refuse("must be named in lower_snake_case");
    if (prompt_.title.empty()) refuse("has no title");
    if (prompt_.description.empty()) refuse("has no description");
    if (prompt_.text.empty()) refuse("has no text");
    for (const auto& call : prompt_.inject) injection(call);
    placeholders(prompt_.text, false);
    for (const auto& argument : prompt_.arguments) {
        if (!used_.contains(argument.name)) {
            refuse(fmt::format("never uses its argument '{}'", argument.name));
        }
    }
    words();
    return std::move(problems_);
}

std::string raw(const std::string& text) {
    return fmt::format("R\"~~({})~~\"", text);
}

}  // namespace

Result<Prompt> parse_prompt(const std::string& path, const std::string& text) {
    Prompt prompt{.path = path, .name = std::filesystem::path(path).stem().string()};
    FrontMatter front(prompt);
    std::size_t number = 0;
    const auto refuse = [&](std::string_view why) {
        return fail(ErrorCode::invalid_argument, fmt::format("{}: line {}: {}", path, number, why));
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, end - at);
        at = end + 1;
        ++number;
        if (number == 1) {
            if (line != fence) return refuse("must be ---");
        } else if (line == fence) {
            const auto begin = text.find_first_not_of('\n', std::min(at, text.size()));
            if (begin != std::string::npos) prompt.text = text.substr(begin);
            return prompt;
        } else if (const auto why = front.line(line); !why.empty()) {
            return refuse(why);
        }
    }
    return refuse("the front matter does not end with ---");
}

std::vector<std::string> check_prompt(const Prompt& prompt, const Sources& sources) {
    return PromptChecker(prompt, sources).check();
}

std::string prompts_source(const std::vector<Prompt>& prompts) {
    std::string lists;
    std::string specs;
    for (const auto& prompt : prompts) {
        lists += fmt::format("constexpr std::array<PromptArgument, {}> {}_arguments{{{{\n",
                             prompt.arguments.size(), prompt.name);
        for (const auto& argument : prompt.arguments) {
            lists +=
                fmt::format("    {{{}, {}, {}, {}}},\n", raw(argument.name),
                            raw(argument.description), argument.required, raw(argument.fallback));
        }
        lists += fmt::format("}}}};\nconstexpr std::array<PromptInjection, {}> {}_inject{{{{\n",
                             prompt.inject.size(), prompt.name);
        for (const auto& call : prompt.inject) {
            lists += fmt::format("    {{{}, {}}},\n", raw(call.tool), raw(to_text(call.arguments)));
        }
        lists += "}};\n\n";
        specs += fmt::format(
            "    PromptSpec{{.name = {},\n               .title = {},\n               .description "
            "= {},\n               .arguments = {}_arguments,\n               .inject = "
            "{}_inject,\n"
            "               .text = {}}},\n",
            raw(prompt.name), raw(prompt.title), raw(prompt.description), prompt.name, prompt.name,
            raw(prompt.text));
    }
    return fmt::format(
        "// Generated by toolgen. Do not edit.\n#include <algorithm>\n#include <array>\n\n"
        "#include \"tools-schema/registry/prompt_spec.h\"\n\nnamespace berth {{\nnamespace {{\n\n"
        "{}constexpr std::array<PromptSpec, {}> catalogue{{{{\n{}}}}};\n\n}}  // namespace\n\n"
        "std::span<const PromptSpec> prompt_catalogue() {{ return catalogue; }}\n\n"
        "const PromptSpec* find_prompt(std::string_view name) {{\n"
        "    const auto found = std::ranges::find(catalogue, name, &PromptSpec::name);\n"
        "    return found == catalogue.end() ? nullptr : &*found;\n}}\n\n"
        "}}  // namespace berth\n",
        lists, prompts.size(), specs);
}

}  // namespace berth::toolgen
