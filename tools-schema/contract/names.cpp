// SPDX-License-Identifier: Apache-2.0
// The grammars of the names in the contract. Each answers with what is wrong, or with "".
#include "tools-schema/contract/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace berth {
namespace {

constexpr std::size_t env_assignment_bytes_max = 32 * 1024;
constexpr std::size_t request_id_characters_max = 64;
constexpr std::size_t label_key_characters_max = 63;
constexpr std::size_t label_value_characters_max = 255;
constexpr std::size_t unit_name_characters_max = 255;  // systemd's own bound
constexpr std::size_t path_bytes_max = 4095;           // PATH_MAX of Linux without its NUL

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool all_of(std::string_view text, std::string_view also) {
    return std::ranges::all_of(
        text, [also](char c) { return is_lower(c) || is_digit(c) || also.contains(c); });
}

/// How many bytes the character of UTF-8 at the front has (RFC 3629 section 4); 0 for what is none.
std::size_t character_bytes(std::string_view text) {
    const auto byte = [text](std::size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const auto continues = [&byte](std::size_t at) { return (byte(at) & 0xc0U) == 0x80U; };
    const unsigned first = byte(0);
    const unsigned second = byte(1);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4 || !continues(1)) return 0;
    if (first < 0xe0) return 2;
    // Spelled too long, or half of a UTF-16 pair, or beyond Unicode.
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f) || !continues(2)) {
        return 0;
    }
    if (first < 0xf0) return 3;
    return continues(3) ? 4 : 0;
}

/// How many characters of UTF-8 these are; nothing when they are none, or one is a control
/// character.
std::optional<std::size_t> printable_characters(std::string_view text) {
    std::size_t count = 0;
    for (; !text.empty(); ++count) {
        const auto bytes = character_bytes(text);
        const bool control = (text.front() >= 0 && text.front() < ' ') || text.front() == 0x7f;
        if (bytes == 0 || control) return std::nullopt;
        text.remove_prefix(bytes);
    }
    return count;
}

/// 26 of a-z and 0-9 behind a prefix: 130 bits as base32.
bool is_random_id(std::string_view text, std::string_view prefix) {
    constexpr std::size_t characters = 26;
    return text.starts_with(prefix) && text.size() == prefix.size() + characters &&
           all_of(text.substr(prefix.size()), "");
}

/// The number that `digits` lower-case hexadecimal digits at `at` spell; nothing for anything else.
std::optional<unsigned> hex_at(std::string_view text, std::size_t at, std::size_t digits) {
    const auto part = text.substr(at, digits);
    if (!std::ranges::all_of(part, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); })) {
        return std::nullopt;
    }
    unsigned number = 0;
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), number, 16);
    if (problem != std::errc{} || end != part.data() + part.size()) return std::nullopt;
    return number;
}

}  // namespace

std::string ContainerNameRule::check(std::string_view text) {
    if (!text.empty() && text.size() <= 63 && is_lower(text.front()) && text.back() != '-' &&
        all_of(text, "-")) {
        return "";
    }
    return "must be a container name: 1 to 63 of a-z, 0-9 and '-', starting with a letter and not "
           "ending with '-'";
}

std::string ImageNameRule::check(std::string_view text) {
    if (!text.empty() && text.size() <= 64 && (is_lower(text.front()) || is_digit(text.front())) &&
        all_of(text, "._-")) {
        return "";
    }
    return "must be an image name: 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter "
           "or digit";
}

std::string SnapshotNameRule::check(std::string_view text) {
    if (ImageNameRule::check(text).empty()) return "";
    return "must be a snapshot's name: 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a "
           "letter or digit";
}

std::string UserNameRule::check(std::string_view text) {
    if (!text.empty() && text.size() <= 32 && (is_lower(text.front()) || text.front() == '_') &&
        all_of(text, "_-")) {
        return "";
    }
    return "must be a user name: 1 to 32 of a-z, 0-9, '_' and '-', starting with a letter or '_'";
}

std::string AbsolutePathRule::check(std::string_view text) {
    if (!text.starts_with('/')) return "must be an absolute path, starting with '/'";
    if (text.size() > path_bytes_max) {
        return fmt::format("must be at most {} bytes long", path_bytes_max);
    }
    return text.contains('\0') ? "must not contain a NUL character" : "";
}

std::string OperationIdRule::check(std::string_view text) {
    return is_random_id(text, "op_") ? "" : "must be an operation's id: op_ and 26 of a-z and 0-9";
}

std::string WarningIdRule::check(std::string_view text) {
    return is_random_id(text, "wn_") ? "" : "must be a warning's id: wn_ and 26 of a-z and 0-9";
}

std::string OutputIdRule::check(std::string_view text) {
    constexpr std::size_t digits = 32;
    if (text.size() == digits &&
        text.find_first_not_of("0123456789abcdef") == std::string_view::npos) {
        return "";
    }
    return "must be an output's id: 32 of 0-9 and a-f, as container_exec gave it";
}

std::string LabelRule::check(std::string_view text) {
    const auto key = text.substr(0, text.find('='));
    if (key.size() == text.size() || key.empty() || key.size() > label_key_characters_max ||
        !is_lower(key.front()) || !all_of(key, "._-")) {
        return fmt::format(
            "must be key=value with a key of 1 to {} of a-z, 0-9, '.', '_' and '-' "
            "that starts with a letter",
            label_key_characters_max);
    }
    const auto characters = printable_characters(text.substr(key.size() + 1));
    if (characters && *characters <= label_value_characters_max) return "";
    return fmt::format("must have a value of at most {} printable characters",
                       label_value_characters_max);
}

std::string UnitNameRule::check(std::string_view text) {
    const bool allowed = std::ranges::all_of(text, [](char c) {
        return is_letter(c) || is_digit(c) || std::string_view(":_.@\\-").contains(c);
    });
    if (allowed && !text.empty() && text.size() <= unit_name_characters_max) return "";
    return "must be a systemd unit: 1 to 255 of letters, digits, ':', '_', '.', '@', '\\' and '-'";
}

std::string RequestIdRule::check(std::string_view text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    if (printable && !text.empty() && text.size() <= request_id_characters_max) return "";
    return fmt::format("must be 1 to {} printable ASCII characters", request_id_characters_max);
}

std::string EnvAssignmentRule::check(std::string_view text) {
    const auto name = text.substr(0, text.find('='));
    const bool named =
        name.size() < text.size() && !name.empty() && !is_digit(name.front()) &&
        std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
    if (!named) {
        return "must be NAME=value, with NAME of letters, digits and '_' and not starting with a "
               "digit";
    }
    if (text.size() > env_assignment_bytes_max) {
        return fmt::format("must be at most {} bytes long", env_assignment_bytes_max);
    }
    return text.contains('\0') ? "must not contain a NUL character" : "";
}

Result<PciAddress> PciAddress::parse(std::string_view text) {
    constexpr std::string_view shape = "0000:00:00.0";
    if (text.size() == shape.size() && text[4] == ':' && text[7] == ':' && text[10] == '.') {
        const auto domain = hex_at(text, 0, 4);
        const auto bus = hex_at(text, 5, 2);
        const auto device = hex_at(text, 8, 2);
        const auto function = hex_at(text, 11, 1);
        if (domain && bus && device && function && *device < 32 && *function < 8) {
            return PciAddress(static_cast<std::uint16_t>(*domain), static_cast<std::uint8_t>(*bus),
                              static_cast<std::uint8_t>(*device),
                              static_cast<std::uint8_t>(*function));
        }
    }
    return fail(ErrorCode::invalid_argument,
                "must be a PCI address in lower case, for example 0000:41:00.0");
}

std::string PciAddress::to_string() const {
    return fmt::format("{:04x}:{:02x}:{:02x}.{}", domain_, bus_, device_, function_);
}

}  // namespace berth
