// SPDX-License-Identifier: Apache-2.0
// What is kept of a stream that may be endless: its head, its tail, and the exact count of all of
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::exec {

/// A stream as it is told to a caller.
struct Output {
    std::string text;  // with one line between head and tail that says how much is left out
    std::int64_t bytes = 0;
    std::int64_t omitted_bytes = 0;
    bool lossy = false;  // bytes that are no UTF-8 were replaced by U+FFFD
};

class OutputBuffer {
public:
    /// Keeps at most `bytes_max` bytes: the first half from the beginning, the rest from the end.
    explicit OutputBuffer(std::size_t bytes_max)
        : head_max_(bytes_max / 2), tail_max_(bytes_max - bytes_max / 2) {}

    void add(std::string_view bytes);
    [[nodiscard]] Output output() const;

private:
    std::size_t head_max_, tail_max_;
    std::string head_, tail_;
    std::int64_t count_ = 0;
};

/// `bytes` with every part that is no UTF-8 replaced by U+FFFD; `lossy` says whether there was one.
[[nodiscard]] std::string to_utf8(std::string_view bytes, bool& lossy);

}  // namespace berth::exec
