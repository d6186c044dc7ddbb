// SPDX-License-Identifier: Apache-2.0
// Bytes that come in at one end and leave at the other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::tunnel {

class ByteQueue {
public:
    [[nodiscard]] std::size_t size() const { return bytes_.size() - gone_; }
    [[nodiscard]] bool empty() const { return size() == 0; }

    /// The memory that it has, which may be several times its size.
    [[nodiscard]] std::size_t footprint() const { return bytes_.capacity(); }

    /// All that is in the queue; valid until it changes.
    [[nodiscard]] std::string_view front() const { return std::string_view(bytes_).substr(gone_); }

    void append(std::string_view bytes) { bytes_.append(bytes); }

    /// Lets go of the first `count` bytes, which must be there. An empty queue holds no memory, and
    /// what is gone is moved over only when it is most of what is held: each byte moves once.
    void drop(std::size_t count) {
        gone_ += count;
        if (gone_ == bytes_.size()) {
            clear();
        } else if (gone_ > bytes_.size() / 2) {
            bytes_.erase(0, gone_);
            gone_ = 0;
        }
    }

    void clear() {
        std::string().swap(bytes_);
        gone_ = 0;
    }

private:
    std::string bytes_;
    std::size_t gone_ = 0;
};

}  // namespace berth::tunnel
