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
constexpr std::size_t path_bytes_max = 4095;  // PATH_MAX of Linux without its NUL

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
