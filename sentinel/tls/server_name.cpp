// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tls/server_name.h"

#include <algorithm>

namespace berth::sentinel {
namespace {

constexpr std::size_t label_bytes_max = 63;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hexadecimal(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}

/// What inet_aton(3) and browsers take for the end of an IPv4 address, as in "127.1" and
/// "0x7f000001". No top-level domain looks like that.
bool ends_an_address(std::string_view last_label) {
    if (last_label.starts_with("0x")) {
        return std::ranges::all_of(last_label.substr(2), is_hexadecimal);
    }
    return std::ranges::all_of(last_label, is_digit);
}

}  // namespace

std::optional<ServerName> ServerName::parse(std::string_view text) noexcept {
    if (text.ends_with('.')) text.remove_suffix(1);
    if (text.empty() || text.size() > bytes_max) return std::nullopt;
    ServerName name;
    std::size_t label = 0;  // where the current one begins
    for (std::size_t at = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (c == '.') {
            if (at == label) return std::nullopt;
            label = at + 1;
        } else if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
            return std::nullopt;
        }
        if (at - label >= label_bytes_max && c != '.') return std::nullopt;
        name.text_[at] = c;
    }
    if (label == text.size()) return std::nullopt;  // a second dot at the end
    name.size_ = static_cast<std::uint8_t>(text.size());
    if (ends_an_address(name.text().substr(label))) return std::nullopt;
    return name;
}

}  // namespace berth::sentinel
