// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <set>

namespace berth {
namespace {

/// Watches the parser and remembers the first reason to refuse the text.
class Guard {
public:
    bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
        using Event = Json::parse_event_t;
        if (event == Event::object_start) {
            keys_.emplace_back();
        } else if (event == Event::object_end) {
            keys_.pop_back();
        } else if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
            refuse(
                fmt::format("the key '{}' appears twice in one object", parsed.get<std::string>()));
        }
        if (static_cast<std::size_t>(depth) >= json_depth_max) {
            refuse(fmt::format("nested deeper than {} levels", json_depth_max));
        }
        return refusal_.empty();
    }
    [[nodiscard]] const std::string& refusal() const { return refusal_; }

private:
    void refuse(std::string why) {
        if (refusal_.empty()) refusal_ = std::move(why);
    }
    std::vector<std::set<std::string>> keys_;
    std::string refusal_;
};

}  // namespace

Error Error::call(std::string_view tool, const Json& arguments) && {
    next_call = NextCall{.tool = std::string(tool), .arguments = to_text(arguments)};
    const auto* joint = hint.empty() ? "" : hint.ends_with('?') ? " " : "; ";
    hint += fmt::format("{}call {}", joint, next_call->text());
    return std::move(*this);
}

Result<Json> parse_json(std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("JSON of {} bytes; at most {} are read", text.size(), bytes_max));
    }
    Guard guard;
    Json value;
    try {
        value = Json::parse(text, std::ref(guard));
    } catch (const Json::exception& problem) {
        return fail(ErrorCode::invalid_argument, fmt::format("not JSON: {}", problem.what()));
    }
    if (!guard.refusal().empty())
        return fail(ErrorCode::invalid_argument, "not acceptable JSON: " + guard.refusal());
    return value;
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_pretty_text(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace berth
