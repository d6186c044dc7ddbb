// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/filter_wish.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::policy {
namespace {

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
    text.remove_prefix(begin);
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

/// The names in all headers of that name, as HTTP joins them.
Result<std::optional<std::vector<std::string>>> names_in(const HttpHeaders& headers,
                                                         const char* name) {
    std::string joined;
    const auto [first, last] = headers.equal_range(std::string_view(name));
    for (auto at = first; at != last; ++at) joined += at->second + ",";
    auto names = split_names(joined);
    if (!names) return fail(std::move(names).error().at(name));
    if (names->empty()) return std::nullopt;
    return names;
}

Result<bool> flag_in(const HttpHeaders& headers, const char* name) {
    const auto [first, last] = headers.equal_range(std::string_view(name));
    bool flag = false;
    for (auto at = first; at != last; ++at) {
        std::string word(trimmed(at->second));
        std::ranges::transform(word, word.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
        });
        const bool yes = word == "true" || word == "1";
        if (!yes && word != "false" && word != "0" && !word.empty()) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("{} must be true or false", name))
                            .at(name));
        }
        flag = flag || yes;
    }
    return flag;
}

}  // namespace

Result<std::vector<std::string>> split_names(std::string_view text) {
    std::vector<std::string> names;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view name = trimmed(text.substr(0, comma));
        if (!name.empty()) names.emplace_back(name);
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (names.size() > wished_names_max) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("names more than {} tools", wished_names_max));
        }
    }
    return names;
}

Result<FilterWish> wish_of(const HttpHeaders& headers) {
    FilterWish wish;
    wish.toolsets = BERTH_TRY(names_in(headers, toolsets_header));
    wish.tools = BERTH_TRY(names_in(headers, tools_header));
    wish.exclude_tools =
        BERTH_TRY(names_in(headers, exclude_tools_header)).value_or(std::vector<std::string>{});
    wish.read_only = BERTH_TRY(flag_in(headers, read_only_header));
    return wish;
}

}  // namespace berth::policy
