// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/jsonc.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::clients {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// Puts blanks in place of what JSON does not know, byte for byte.
class Blanker {
public:
    explicit Blanker(std::string_view text) : plain_(text) {
        if (text.starts_with(byte_order_mark)) blank(0, byte_order_mark.size());
    }

    Result<> run() {
        for (std::size_t at = 0; at < plain_.size();) {
            const char c = plain_[at];
            if (c == '"') {
                at = after_string(at);
                last_ = '"';
            } else if (c == '/' && at + 1 < plain_.size() && plain_[at + 1] == '/') {
                const auto end = std::min(plain_.find_first_of("\r\n", at), plain_.size());
                blank(at, end);
                at = end;
            } else if (c == '/' && at + 1 < plain_.size() && plain_[at + 1] == '*') {
                const auto end = plain_.find("*/", at + 2);
                if (end == std::string::npos) {
                    return fail(ErrorCode::invalid_argument, "a comment has no end");
                }
                blank(at, end + 2);
                at = end + 2;
            } else {
                take(at++);
            }
        }
        return {};
    }

    std::string plain() && { return std::move(plain_); }
    std::vector<std::size_t> trailing_commas() && { return std::move(trailing_commas_); }

private:
    void blank(std::size_t begin, std::size_t end) {
        for (auto at = begin; at < end; ++at) {
            if (plain_[at] != '\n' && plain_[at] != '\r') plain_[at] = ' ';
        }
    }

    [[nodiscard]] std::size_t after_string(std::size_t at) const {
        for (++at; at < plain_.size(); ++at) {
            if (plain_[at] == '"') return at + 1;
            if (plain_[at] == '\\') ++at;
        }
        return plain_.size();
    }

    /// One byte outside strings and comments. A comma behind a value and in front of a closing
    /// bracket goes.
    void take(std::size_t at) {
        const char c = plain_[at];
        if (blanks.contains(c)) return;
        if ((c == '}' || c == ']') && last_ == ',' && comma_ends_value_) {
            plain_[comma_] = ' ';
            trailing_commas_.push_back(comma_);
        }
        if (c == ',') {
            comma_ = at;
            comma_ends_value_ = last_ != ',' && last_ != '{' && last_ != '[' && last_ != ':';
        }
        last_ = c;
    }

    std::string plain_;
    std::vector<std::size_t> trailing_commas_;
    char last_ = '{';  // the last byte that means something
    std::size_t comma_ = 0;
    bool comma_ends_value_ = false;
};

}  // namespace

const Member* Object::find(std::string_view key) const {
    const auto found = std::ranges::find(members, key, &Member::key);
    return found == members.end() ? nullptr : &*found;
}

Result<Jsonc> Jsonc::read(std::string text) {
    Blanker blanker(text);
    BERTH_TRY(blanker.run());
    Jsonc read;
    read.trailing_commas_ = std::move(blanker).trailing_commas();
    read.plain_ = std::move(blanker).plain();
    read.text_ = std::move(text);
    const auto open = read.after_blanks(0);
    if (open == read.plain_.size()) return read;
    read.value_ = BERTH_TRY(parse_json(read.plain_));
    if (!read.value_.is_object()) {
        return fail(ErrorCode::invalid_argument, "the top level is no object");
    }
    read.root_ = read.object_at(open);
    return read;
}

std::size_t Jsonc::after_blanks(std::size_t at) const {
    return std::min(plain_.find_first_not_of(blanks, at), plain_.size());
}

std::size_t Jsonc::after_string(std::size_t at) const {
    for (++at; at < plain_.size() && plain_[at] != '"'; ++at) {
        if (plain_[at] == '\\') ++at;
    }
    return std::min(at + 1, plain_.size());
}

std::size_t Jsonc::after_value(std::size_t at) const {
    if (plain_[at] == '"') return after_string(at);
    if (plain_[at] != '{' && plain_[at] != '[') {
        return std::min(plain_.find_first_of(",}] \t\r\n", at), plain_.size());
    }
    for (std::size_t depth = 0; at < plain_.size();) {
        const char c = plain_[at];
        if (c == '"') {
            at = after_string(at);
            continue;
        }
        ++at;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) return at;
    }
    return at;
}

Object Jsonc::object_at(std::size_t open) const {
    Object object{.open = open};
    for (auto at = after_blanks(open + 1); at < plain_.size() && plain_[at] != '}';) {
        Member member{.key_begin = at};
        const auto key_end = after_string(at);
        // The whole text was valid JSON, so its parts are.
        member.key = Json::parse(plain_.begin() + static_cast<std::ptrdiff_t>(at),
                                 plain_.begin() + static_cast<std::ptrdiff_t>(key_end))
                         .get<std::string>();
        member.value_begin = after_blanks(after_blanks(key_end) + 1);
        member.value_end = after_value(member.value_begin);
        at = after_blanks(member.value_end);
        if (at < plain_.size() && plain_[at] == ',') {
            member.comma = at;
            at = after_blanks(at + 1);
        }
        object.members.push_back(std::move(member));
        object.close = at;
    }
    object.close = object.members.empty() ? after_blanks(open + 1) : object.close;
    if (object.members.empty()) return object;
    auto& last = object.members.back();
    const auto comma = std::ranges::find_if(trailing_commas_, [&](std::size_t at) {
        return at >= last.value_end && at < object.close;
    });
    if (comma != trailing_commas_.end()) last.comma = *comma;
    return object;
}

bool same(const Json& one, const Json& other) {
    return nlohmann::json(one) == nlohmann::json(other);
}

}  // namespace berth::clients
