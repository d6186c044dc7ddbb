// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/tokens.h"

#include <algorithm>
#include <cstdint>

namespace berth {
namespace {

constexpr std::size_t bytes_per_token = 4;

enum class Kind : std::uint8_t { letters, digits, space, punctuation, other };

Kind token_kind(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::letters;
    if (c >= '0' && c <= '9') return Kind::digits;
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') return Kind::space;
    return c > ' ' && c <= '~' ? Kind::punctuation : Kind::other;
}

/// How many tokens a run of `length` characters of one kind makes at worst.
std::size_t pieces_of(Kind kind, std::size_t length) {
    const auto in = [length](std::size_t each) { return (length + each - 1) / each; };
    switch (kind) {
        case Kind::letters:
            return in(7);
        case Kind::digits:
            return in(3);
        case Kind::punctuation:
            return in(2);
        case Kind::space:
            return length - 1;  // one belongs to the word behind it
        case Kind::other:
            return length;
    }
    return length;
}

}  // namespace

std::size_t approximate_tokens(std::string_view json_text) {
    std::size_t pieces = 0;
    for (std::size_t begin = 0; begin < json_text.size();) {
        const auto kind = token_kind(json_text[begin]);
        auto end = begin + 1;
        while (end < json_text.size() && token_kind(json_text[end]) == kind) ++end;
        pieces += pieces_of(kind, end - begin);
        begin = end;
    }
    return std::max(pieces, (json_text.size() + bytes_per_token - 1) / bytes_per_token);
}

}  // namespace berth
