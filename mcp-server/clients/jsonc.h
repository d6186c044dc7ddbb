// SPDX-License-Identifier: Apache-2.0
// JSON as people write it into configuration files: with comments, commas behind the last member
// and a byte order mark. Knows where everything stands, so that it can be edited in place.
#pragma once

#include "tools-schema/contract/json.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::clients {

/// The white space of JSON.
inline constexpr std::string_view blanks = " \t\r\n";

/// Where a member of an object stands in the text.
struct Member {
    std::string key = {};
    std::size_t key_begin = 0;
    std::size_t value_begin = 0;
    std::size_t value_end = 0;
    std::optional<std::size_t> comma = {};  // the one behind it
};

/// Where an object stands: its braces, and what is between them.
struct Object {
    std::size_t open = 0;
    std::size_t close = 0;
    std::vector<Member> members = {};

    [[nodiscard]] const Member* find(std::string_view key) const;
};

/// A text that was understood as a whole.
class Jsonc {
public:
    /// invalid_argument for what is no JSON even without its comments, and for a top level that is
    /// no object. A text without any value is understood, and has no root().
    [[nodiscard]] static Result<Jsonc> read(std::string text);

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] const Json& value() const { return value_; }  // an object; {} without a root
    [[nodiscard]] const std::optional<Object>& root() const { return root_; }

    /// The object that begins at `open`, where a value of this text begins with '{'.
    [[nodiscard]] Object object_at(std::size_t open) const;

private:
    Jsonc() = default;
    [[nodiscard]] std::size_t after_blanks(std::size_t at) const;
    [[nodiscard]] std::size_t after_string(std::size_t at) const;
    [[nodiscard]] std::size_t after_value(std::size_t at) const;

    std::string text_;
    std::string plain_;  // the same length, with blanks for all that is not JSON
    std::vector<std::size_t> trailing_commas_;
    Json value_ = Json::object();
    std::optional<Object> root_;
};

/// Whether two values mean the same: the order of members means nothing.
[[nodiscard]] bool same(const Json& one, const Json& other);

}  // namespace berth::clients
