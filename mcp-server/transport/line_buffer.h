// SPDX-License-Identifier: Apache-2.0
// Cuts a stream of bytes into lines of bounded length.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth::mcp {

struct Line {
    std::string text;
    bool too_long = false;  // then it was thrown away, and text is empty
};

class LineBuffer {
public:
    explicit LineBuffer(std::size_t bytes_max) : line_bytes_max_(bytes_max) {}

    void append(std::string_view bytes) {
        bytes_.erase(0, begin_);
        searched_ -= begin_;
        begin_ = 0;
        bytes_ += bytes;
    }

    /// The next whole line without its end, or nothing until more bytes come.
    std::optional<Line> next() {
        const std::size_t end = bytes_.find('\n', searched_);
        if (end == std::string::npos) {
            searched_ = bytes_.size();
            if (searched_ - begin_ > line_bytes_max_) skipping_ = true;
            if (skipping_) begin_ = searched_;
            return std::nullopt;
        }
        const std::size_t length = end - begin_;
        Line line{.text = {}, .too_long = skipping_ || length > line_bytes_max_};
        if (!line.too_long) line.text = bytes_.substr(begin_, length);
        begin_ = searched_ = end + 1;
        skipping_ = false;
        return line;
    }

private:
    std::string bytes_;
    std::size_t begin_ = 0;     // of the line that next() gives
    std::size_t searched_ = 0;  // up to here there is no end of it; never before begin_
    std::size_t line_bytes_max_;
    bool skipping_ = false;
};

}  // namespace berth::mcp
