// SPDX-License-Identifier: Apache-2.0
// Reads one public key line and proves that its blob is a whole key of the type it claims, so that
// what reaches authorized_keys is a key and nothing else.
#include "tools-schema/contract/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

namespace berth {
namespace {

constexpr std::size_t comment_bytes_max = 256;
constexpr std::size_t rsa_bits_min = 2048;

/// What follows the type string in a key's blob (RFC 4253, 5656, 8709; OpenSSH PROTOCOL.u2f).
struct KeyType {
    std::string_view name;
    std::string_view curve;   // the curve's name stands first; "" when there is none
    std::size_t point_bytes;  // then a point of this size; 0 for RSA, which has two numbers
    bool application;         // then, for security keys, the application
};

constexpr std::array<KeyType, 7> key_types{{
    {"ssh-ed25519", "", 32, false},
    {"ecdsa-sha2-nistp256", "nistp256", 65, false},
    {"ecdsa-sha2-nistp384", "nistp384", 97, false},
    {"ecdsa-sha2-nistp521", "nistp521", 133, false},
    {"ssh-rsa", "", 0, false},
    {"sk-ssh-ed25519@openssh.com", "", 32, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65, true},
}};

const KeyType* find_type(std::string_view name) {
    const auto* const found = std::ranges::find(key_types, name, &KeyType::name);
    return found == key_types.end() ? nullptr : found;
}

/// Reads the length-prefixed strings of RFC 4251 section 5 one after the other.
class Wire {
public:
    explicit Wire(std::string_view bytes) : rest_(bytes) {}
    [[nodiscard]] bool done() const { return rest_.empty(); }
    std::optional<std::string_view> string() {
        if (rest_.size() < 4) return std::nullopt;
        std::size_t length = 0;
        for (const char c : rest_.substr(0, 4))
            length = (length << 8) | static_cast<std::uint8_t>(c);
        if (length > rest_.size() - 4) return std::nullopt;
        const auto found = rest_.substr(4, length);
        rest_.remove_prefix(4 + length);
        return found;
    }

private:
    std::string_view rest_;
};

std::size_t bits_of(std::string_view number) {
    while (number.starts_with('\0')) number.remove_prefix(1);
    if (number.empty()) return 0;
    return (number.size() - 1) * 8 + std::bit_width(static_cast<std::uint8_t>(number.front()));
}

/// What is wrong with the blob, or "".
std::string check_blob(std::string_view blob, const KeyType& type) {
    Wire wire(blob);
    if (wire.string() != type.name) return "holds a key of another type than it says";
    if (!type.curve.empty() && wire.string() != type.curve)
        return "names another curve than its type";
    const auto point = wire.string();
    bool whole = point.has_value();
    if (type.point_bytes == 0) {
        const auto modulus = wire.string();
        whole = whole && modulus.has_value();
        if (whole && bits_of(*modulus) < rsa_bits_min) {
            return fmt::format("is an RSA key of {} bits; at least {} are needed",
                               bits_of(*modulus), rsa_bits_min);
        }
    } else {
        whole = whole && point->size() == type.point_bytes;
    }
    if (type.application) whole = whole && wire.string().has_value();
    return whole && wire.done() ? "" : "is cut short or damaged";
}

/// What is wrong with the line as text, or "".
std::string check_line(std::string_view line) {
    if (line.contains("PRIVATE KEY") || line.starts_with("PuTTY-User-Key-File")) {
        return "is a private key: keep it secret and give the public one, from the .pub file";
    }
    if (line.contains('\n') || line.contains('\r')) return "must be one public key on one line";
    const bool printable = std::ranges::none_of(
        line, [](char c) { return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f; });
    return printable ? "" : "must not contain control characters";
}

std::string_view without_line_end(std::string_view text) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

/// Takes the first word off `rest`.
std::string_view next_word(std::string_view& rest) {
    const auto word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    return word;
}

}  // namespace

Result<SshPublicKey> SshPublicKey::parse(std::string_view text) {
    auto rest = without_line_end(text);
    if (auto problem = check_line(rest); !problem.empty()) {
        return fail(ErrorCode::invalid_argument, std::move(problem));
    }
    const auto whole = rest;
    const auto* const type = find_type(next_word(rest));
    if (type == nullptr) {
        const bool options = std::ranges::any_of(key_types, [whole](const KeyType& known) {
            return whole.contains(fmt::format(" {} ", known.name));
        });
        return fail(ErrorCode::invalid_argument,
                    options ? "must start with the key's type; options in front are not accepted"
                            : "must be an OpenSSH public key: ssh-ed25519, ecdsa-sha2-nistp256, "
                              "-384 or -521, ssh-rsa, or a security key (sk-)");
    }
    const auto base64 = next_word(rest);
    auto blob = decode_base64(base64);
    if (!blob) return fail(ErrorCode::invalid_argument, "has a key that is not base64");
    if (auto problem = check_blob(*blob, *type); !problem.empty()) {
        return fail(ErrorCode::invalid_argument, std::move(problem));
    }
    if (rest.size() > comment_bytes_max) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("has a comment of more than {} bytes", comment_bytes_max));
    }
    SshPublicKey key;
    key.type_ = type->name;
    key.blob_ = *std::move(blob);
    key.text_ = fmt::format("{} {}{}{}", type->name, base64, rest.empty() ? "" : " ", rest);
    return key;
}

}  // namespace berth
