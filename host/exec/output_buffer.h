// SPDX-License-Identifier: Apache-2.0
// What is kept of a stream that may be endless: its head, its tail, and the exact count of all of
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace berth::exec {

/// A stream as it is told to a caller.
struct Output {
    std::string text;  // with one line between head and tail that says how much is left out
    std::int64_t bytes = 0;
    std::int64_t omitted_bytes = 0;
    bool lossy = false;        // bytes that are no UTF-8 were replaced by U+FFFD
    std::string kept_as = {};  // the id of all of it among the kept outputs; "" when there is none
    std::int64_t kept_bytes = 0;
};

class OutputBuffer {
public:
    /// Keeps at most `bytes_max` bytes: the first half from the beginning, the rest from the end.
    /// `spill`, when there is one, gets every byte as soon as there are more than that.
    explicit OutputBuffer(std::size_t bytes_max, std::function<void(std::string_view)> spill = {})
        : head_max_(bytes_max / 2),
          tail_max_(bytes_max - bytes_max / 2),
          spill_(std::move(spill)) {}

    void add(std::string_view bytes);
    [[nodiscard]] Output output() const;

private:
    std::size_t head_max_, tail_max_;
    std::function<void(std::string_view)> spill_;
    std::string head_, tail_;
    std::int64_t count_ = 0;
};

/// How many bytes at the end of `bytes` begin a character that is not whole.
[[nodiscard]] std::size_t unfinished_bytes(std::string_view bytes);

/// `bytes` with every part that is no UTF-8 replaced by U+FFFD; `lossy` says whether there was one.
[[nodiscard]] std::string to_utf8(std::string_view bytes, bool& lossy);

}  // namespace berth::exec
