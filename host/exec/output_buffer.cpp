// SPDX-License-Identifier: Apache-2.0
#include "host/exec/output_buffer.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::exec {
namespace {

constexpr std::size_t character_bytes_max = 4;

bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
}

/// The length of the well-formed sequence (RFC 3629) at the front of `text`, or 0.
std::size_t sequence_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = first < 0x80   ? 1
                               : first < 0xc2 ? 0
                               : first < 0xe0 ? 2
                               : first < 0xf0 ? 3
                               : first < 0xf5 ? 4
                                              : 0;
    if (length <= 1) return length;
    if (text.size() < length || !std::ranges::all_of(text.substr(1, length - 1), continues))
        return 0;
    const auto second = static_cast<unsigned char>(text[1]);
    const bool too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool no_character =
        (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
    return too_long || no_character ? 0 : length;
}

}  // namespace

std::size_t unfinished_bytes(std::string_view bytes) {
    for (std::size_t cut = 1; cut < character_bytes_max && cut <= bytes.size(); ++cut) {
        const auto last = static_cast<unsigned char>(bytes[bytes.size() - cut]);
        if (continues(bytes[bytes.size() - cut])) continue;
        const bool whole = last < 0xc0 || sequence_length(bytes.substr(bytes.size() - cut)) != 0;
        return whole ? 0 : cut;
    }
    return 0;
}

std::string to_utf8(std::string_view bytes, bool& lossy) {
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = sequence_length(bytes);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            lossy = true;
        } else {
            out += bytes.substr(0, length);
        }
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

void OutputBuffer::add(std::string_view bytes) {
    const auto fits = static_cast<std::int64_t>(head_max_ + tail_max_);
    const bool had_fitted = count_ <= fits;
    count_ += static_cast<std::int64_t>(bytes.size());
    if (spill_ && count_ > fits) {
        if (had_fitted) spill_(head_ + tail_);
        spill_(bytes);
    }
    const std::size_t room = std::min(head_max_ - head_.size(), bytes.size());
    head_ += bytes.substr(0, room);
    bytes.remove_prefix(room);
    if (bytes.size() > tail_max_) bytes.remove_prefix(bytes.size() - tail_max_);
    tail_ += bytes;
    // Trimmed only when twice as long as needed, so that many small writes stay cheap.
    if (tail_.size() > 2 * tail_max_) tail_.erase(0, tail_.size() - tail_max_);
}

Output OutputBuffer::output() const {
    std::string_view head = head_;
    std::string_view tail = tail_;
    if (tail.size() > tail_max_) tail.remove_prefix(tail.size() - tail_max_);
    const auto kept = [&] { return static_cast<std::int64_t>(head.size() + tail.size()); };
    Output out{.text = {}, .bytes = count_, .omitted_bytes = 0, .lossy = false};
    if (count_ == kept()) {
        out.text = to_utf8(head_ + std::string(tail), out.lossy);
        return out;
    }
    // The cut is ours, so it never falls inside a character.
    for (std::size_t cut = 0;
         cut < character_bytes_max - 1 && !tail.empty() && continues(tail.front()); ++cut)
        tail.remove_prefix(1);
    head.remove_suffix(unfinished_bytes(head));
    out.omitted_bytes = count_ - kept();
    out.text = fmt::format("{}\n[… {} bytes left out …]\n{}", to_utf8(head, out.lossy),
                           out.omitted_bytes, to_utf8(tail, out.lossy));
    return out;
}

}  // namespace berth::exec
