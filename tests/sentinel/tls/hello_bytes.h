// SPDX-License-Identifier: Apache-2.0
// ClientHellos to order, right and wrong ones.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::sentinel {

inline std::string number(std::size_t value, unsigned width) {
    std::string bytes;
    while (width-- > 0) bytes += static_cast<char>(value >> (8 * width) & 0xff);
    return bytes;
}

inline std::string block(unsigned width, std::string_view bytes) {
    return number(bytes.size(), width).append(bytes);
}

inline std::string extension(unsigned type, std::string_view body) {
    return number(type, 2) + block(2, body);
}

/// A server_name extension with that one name.
inline std::string server_name(std::string_view name, char type = 0) {
    return extension(0, block(2, std::string(1, type) + block(2, name)));
}

struct HelloBytes {
    std::optional<std::string> extensions = std::nullopt;  // as they stand
    std::string_view name = "ada.example";                 // else this, and what follows
    std::size_t key_share_bytes = 32;                      // 1216 as of X25519MLKEM768
    std::size_t session_id_bytes = 32;
    std::size_t record_bytes = 16384;
    char version_major = 3;
    char version_minor = 1;
};

/// The handshake message, with its own header and without records.
inline std::string hello_message(const HelloBytes& how = {}) {
    std::string extensions;
    if (how.extensions) {
        extensions = *how.extensions;
    } else {
        extensions = extension(0x3a3a, "") +  // GREASE
                     extension(51, std::string(how.key_share_bytes, 'k')) + server_name(how.name) +
                     extension(16, block(2, "\2h2\10http/1.1")) +
                     extension(0xfe0d, std::string(186, 'e')) +  // ECH
                     extension(43, std::string("\2\3\4", 3)) +
                     extension(0x5a5a, std::string(1, '\0'));
    }
    const std::string body = std::string("\3\3", 2) + std::string(32, 'r') +
                             block(1, std::string(how.session_id_bytes, 's')) +
                             block(2, std::string("\x1a\x1a\x13\x01\x13\x02", 6)) +
                             block(1, std::string(1, '\0')) + block(2, extensions);
    return "\1" + block(3, body);
}

/// Bytes in records of the handshake.
inline std::string records(std::string_view message, const HelloBytes& how = {}) {
    std::string wire;
    while (!message.empty()) {
        const auto part = message.substr(0, std::min(how.record_bytes, message.size()));
        wire += std::string{22, how.version_major, how.version_minor} + block(2, part);
        message.remove_prefix(part.size());
    }
    return wire;
}

inline std::string hello(const HelloBytes& how = {}) {
    return records(hello_message(how), how);
}

}  // namespace berth::sentinel
