// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/prompt_fill.h"

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace berth {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

std::string filled(std::string_view text, const Values& values) {
    constexpr std::string_view open = "{{";
    constexpr std::string_view close = "}}";
    std::string out;
    while (true) {
        const auto begin = text.find(open);
        const auto end = text.find(close, begin == std::string_view::npos ? begin : begin + 2);
        if (end == std::string_view::npos) return out += text;
        out += text.substr(0, begin);
        const auto value = values.find(text.substr(begin + 2, end - begin - 2));
        if (value != values.end()) out += value->second;
        text.remove_prefix(end + 2);
    }
}

/// Every string in it, on every level; what is put in stays inside its string.
void fill_strings(Json& json, const Values& values) {
    if (json.is_string()) {
        json = filled(json.get_ref<const std::string&>(), values);
    } else if (json.is_structured()) {
        for (auto& member : json) fill_strings(member, values);
    }
}

void read_argument(const PromptArgument& argument, const Json& given, Values& values,
                   Problems& problems) {
    const auto pointer = pointer_to("", argument.name);
    const auto found = given.find(std::string(argument.name));
    if (found == given.end() || found->is_null()) {
        if (argument.required) problems.add(pointer, "is required");
        values[std::string(argument.name)] = argument.fallback;
    } else if (!found->is_string()) {
        problems.add(pointer, fmt::format("must be a string, not {}", kind_of(*found)));
    } else if (found->get_ref<const std::string&>().size() > prompt_argument_bytes_max) {
        problems.add(pointer, fmt::format("must be at most {} bytes", prompt_argument_bytes_max));
    } else {
        values[std::string(argument.name)] = found->get<std::string>();
    }
}

Result<Values> read_arguments(const PromptSpec& prompt, const Json& given) {
    Problems problems;
    Values values;
    for (const auto& argument : prompt.arguments) {
        read_argument(argument, given, values, problems);
    }
    for (const auto& [name, value] : given.items()) {
        if (std::ranges::count(prompt.arguments, std::string_view(name), &PromptArgument::name) ==
            0) {
            problems.add(pointer_to("", name),
                         fmt::format("is no argument of the prompt {}", prompt.name));
        }
    }
    if (!problems.empty()) return fail(problems.error());
    return values;
}

}  // namespace

Result<FilledPrompt> fill_prompt(const PromptSpec& prompt, const Json& arguments) {
    if (!arguments.is_object() && !arguments.is_null()) {
        return fail(ErrorCode::invalid_argument, "a prompt's arguments must be an object");
    }
    const auto values =
        BERTH_TRY(read_arguments(prompt, arguments.is_null() ? Json::object() : arguments));
    FilledPrompt out{.text = filled(prompt.text, values), .calls = {}};
    for (const auto& injection : prompt.inject) {
        // The text is ours, checked when it was generated.
        PromptCall call{.tool = std::string(injection.tool),
                        .arguments = Json::parse(injection.arguments)};
        fill_strings(call.arguments, values);
        out.calls.push_back(std::move(call));
    }
    return out;
}

}  // namespace berth
