// SPDX-License-Identifier: Apache-2.0
// How much of a model's context a text costs, near enough to hold a budget.
#pragma once

#include <cstddef>
#include <string_view>

namespace berth {

/// Counts on the high side, so that what fits here fits every tokenizer in use: the larger of
///   - a quarter of the bytes, the rule of thumb for English, and
///   - the pieces that a byte-pair encoding would cut the text into at worst: a run of letters is
///   one
///     for each 7 begun (common words are one token, and the mean of schema words is below 7), of
///     digits one for each 3, of punctuation one for each 2 (`":` and `",` are single tokens), a
///     byte beyond ASCII one each. One space in front of a word belongs to it and costs nothing.
[[nodiscard]] std::size_t approximate_tokens(std::string_view json_text);

}  // namespace berth
