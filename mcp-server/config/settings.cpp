// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/settings.h"

#include "mcp-server/policy/filter_wish.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdlib>

namespace berth {
namespace {

std::string renamed(std::string_view key, char joint, bool upper) {
    std::string name;
    for (const char c : key) {
        const bool lower_case = c >= 'a' && c <= 'z';
        name += c == '.' || c == '_'  ? joint
                : upper && lower_case ? static_cast<char>(c - 'a' + 'A')
                                      : c;
    }
    return name;
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
    const char* value = ::secure_getenv(name.c_str());  // read before any thread is started
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::string flag_name(std::string_view key) {
    return "--" + renamed(key, '-', false);
}

std::string environment_name(std::string_view key) {
    return "BERTH_MCP_" + renamed(key, '_', true);
}

/// The variable's text, when it is what counts.
std::optional<std::string> Settings::variable(std::string_view key, bool flag_is_given) {
    if (flag_is_given) {
        origins_[std::string(key)] = flag_name(key);
        return std::nullopt;
    }
    auto text = environment_(environment_name(key));
    if (!text || text->empty()) return std::nullopt;
    origins_[std::string(key)] = environment_name(key);
    return text;
}

// The file is asked in any case, so that it knows which keys there are.

std::optional<std::string> Settings::text(std::string_view key, const Maybe<std::string>& flag) {
    auto in_file = file_.string(key);
    auto variable_text = variable(key, flag.has_value());
    if (flag) return flag;
    return variable_text ? variable_text : in_file;
}

std::optional<Settings::Names> Settings::names(std::string_view key, const Maybe<Names>& flag) {
    auto in_file = file_.strings(key);
    const auto variable_text = variable(key, flag.has_value());
    if (flag) return flag;
    if (!variable_text) return in_file;
    auto split = policy::split_names(*variable_text);
    if (split) return *std::move(split);
    reject(key, split.error().message);
    return std::nullopt;
}

std::optional<bool> Settings::boolean(std::string_view key, const Maybe<bool>& flag) {
    const auto in_file = file_.boolean(key);
    const auto variable_text = variable(key, flag.has_value());
    if (flag) return flag;
    if (!variable_text) return in_file;
    if (variable_text == "true" || variable_text == "1") return true;
    if (variable_text != "false" && variable_text != "0") reject(key, "must be true or false");
    return false;
}

std::optional<std::int64_t> Settings::integer(std::string_view key, const Maybe<std::int64_t>& flag,
                                              std::int64_t minimum, std::int64_t maximum) {
    const auto in_file = file_.integer(key, minimum, maximum);
    const auto variable_text = variable(key, flag.has_value());
    std::int64_t value = flag.value_or(minimum);
    bool is_number = true;
    if (!flag && !variable_text) return in_file;
    if (variable_text) {
        const char* const last = variable_text->data() + variable_text->size();
        const auto [end, error] = std::from_chars(variable_text->data(), last, value);
        is_number = error == std::errc() && end == last;
    }
    if (is_number && value >= minimum && value <= maximum) return value;
    reject(key, fmt::format("must be a number from {} to {}", minimum, maximum));
    return std::nullopt;
}

void Settings::reject(std::string_view key, const std::string& why) {
    if (const auto origin = origins_.find(key); origin != origins_.end()) {
        problems_.push_back(fmt::format("{} {}", origin->second, why));
    } else if (file_.has(key)) {
        file_.reject(key, why);
    } else {
        problems_.push_back(fmt::format("{} {}", key, why));
    }
}

Result<> Settings::finish() {
    if (const auto file = file_.finish(); !file) {
        problems_.insert(problems_.begin(), file.error().message);
    }
    if (problems_.empty()) return {};
    return fail(ErrorCode::invalid_argument, fmt::format("{}", fmt::join(problems_, "\n")));
}

}  // namespace berth
