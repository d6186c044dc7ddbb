// SPDX-License-Identifier: Apache-2.0
// Enumerations of the contract: the generator writes the enum class and its words, and everything
// else follows from these templates.
#pragma once

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace berth {

/// The wire words of an enumeration, in the order of its enumerators, which count from 0.
template <class E>
inline constexpr std::array<std::string_view, 0> enum_words{};

template <class E>
concept WireEnum = std::is_enum_v<E> && !enum_words<E>.empty();

template <WireEnum E>
[[nodiscard]] constexpr std::string_view to_string(E value) {
    return enum_words<E>[static_cast<std::size_t>(std::to_underlying(value))];
}

/// The value of that wire word; nothing for a word that is none.
template <WireEnum E>
[[nodiscard]] constexpr std::optional<E> from_string(std::string_view word) {
    const auto found = std::ranges::find(enum_words<E>, word);
    if (found == enum_words<E>.end()) return std::nullopt;
    return static_cast<E>(found - enum_words<E>.begin());
}

template <WireEnum E>
[[nodiscard]] Json encode(E value) {
    return std::string(to_string(value));
}

template <WireEnum E>
struct Decode<E> {
    static std::optional<E> read(const Json& value, const std::string& pointer, const Bounds&,
                                 Problems& problems) {
        const auto word = Decode<std::string>::read(value, pointer, {}, problems);
        if (!word) return std::nullopt;
        const auto found = from_string<E>(*word);
        if (!found) {
            problems.add(pointer, fmt::format("must be one of {}; not '{}'",
                                              fmt::join(enum_words<E>, ", "), *word));
        }
        return found;
    }
};

}  // namespace berth
