// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/attributes.h"

#include "host/engine/container_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth::transfer {
namespace {

using engine::ids_per_container;

constexpr std::string_view capability = "security.capability";
constexpr std::string_view opaque = "trusted.overlay.opaque";
constexpr std::array access_lists{std::string_view("system.posix_acl_access"),
                                  std::string_view("system.posix_acl_default")};
/// What overlayfs notes of one mount (Documentation/filesystems/overlayfs.rst).
constexpr std::array notes_of_a_mount{
    std::string_view("trusted.overlay.origin"), std::string_view("trusted.overlay.impure"),
    std::string_view("trusted.overlay.nlink"), std::string_view("trusted.overlay.uuid"),
    std::string_view("trusted.overlay.upper")};
constexpr std::int64_t nobody = 65534;

// <linux/capability.h>: a word with version and flags, two pairs of sets, and in version 3 the id
// of the user namespace's root.
constexpr std::size_t capability_2_bytes = 20, capability_3_bytes = 24;
constexpr std::uint32_t version_2 = 0x02000000, version_3 = 0x03000000, flags_mask = 1;

// <linux/posix_acl_xattr.h>: a word with the version, then entries of tag, permissions and id.
constexpr std::size_t acl_header_bytes = 4, acl_entry_bytes = 8, acl_id_at = 4;
constexpr std::uint32_t acl_version = 2;
constexpr std::uint32_t acl_user = 0x02, acl_group = 0x08;
constexpr std::size_t acl_entries_max = 1024;

std::uint32_t word_at(std::string_view bytes, std::size_t at, std::size_t width = 4) {
    std::uint32_t value = 0;
    for (std::size_t index = 0; index < width; ++index)
        value |= std::uint32_t{static_cast<unsigned char>(bytes[at + index])} << (8 * index);
    return value;
}

void put_word(std::string& bytes, std::size_t at, std::uint32_t value) {
    for (std::size_t index = 0; index < 4; ++index)
        bytes[at + index] = static_cast<char>((value >> (8 * index)) & 0xff);
}

bool is_capability(std::string_view value) {
    if (value.size() != capability_2_bytes && value.size() != capability_3_bytes) return false;
    const auto version = value.size() == capability_2_bytes ? version_2 : version_3;
    return (word_at(value, 0) & ~flags_mask) == version;
}

bool is_access_list(std::string_view value) {
    return value.size() >= acl_header_bytes && word_at(value, 0) == acl_version &&
           (value.size() - acl_header_bytes) % acl_entry_bytes == 0 &&
           (value.size() - acl_header_bytes) / acl_entry_bytes <= acl_entries_max;
}

/// Every id that the list names, by `moved`.
template <class Moved>
std::string with_ids(std::string list, const Moved& moved) {
    for (std::size_t at = acl_header_bytes; at < list.size(); at += acl_entry_bytes) {
        const auto tag = word_at(list, at, 2);
        if (tag != acl_user && tag != acl_group) continue;
        put_word(list, at + acl_id_at, moved(word_at(list, at + acl_id_at)));
    }
    return list;
}

std::uint32_t narrow(std::int64_t id) {
    return static_cast<std::uint32_t>(id);
}

/// In version 2 nobody is named: its root is the one who looks.
std::string inside_capability(const std::string& value, std::int64_t uid_base) {
    if (value.size() == capability_2_bytes) return value;
    const auto root = inside_id(word_at(value, capability_2_bytes), uid_base);
    std::string inside = value;
    if (root == 0) {
        put_word(inside, 0, version_2 | (word_at(value, 0) & flags_mask));
        inside.resize(capability_2_bytes);
    } else {
        put_word(inside, capability_2_bytes, narrow(root));
    }
    return inside;
}

std::unexpected<Error> unknown_attribute(std::string_view name) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("an attribute in it is not one that a container's files have ({})",
                            name.size() < 64 ? name : name.substr(0, 64)));
}

bool is_printable(std::string_view name) {
    return std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

std::int64_t inside_id(std::int64_t id, std::int64_t uid_base) {
    const auto inside = id - uid_base;
    return inside >= 0 && inside < ids_per_container ? inside : nobody;
}

Result<std::optional<std::string>> inside_attribute(std::string_view name, const std::string& value,
                                                    std::int64_t uid_base) {
    if (name.starts_with("user.")) return value;
    if (name == capability && is_capability(value)) return inside_capability(value, uid_base);
    if (std::ranges::find(access_lists, name) != access_lists.end() && is_access_list(value)) {
        return with_ids(value,
                        [uid_base](std::uint32_t id) { return narrow(inside_id(id, uid_base)); });
    }
    if (name == opaque && value == "y") return value;
    const bool noted = std::ranges::find(notes_of_a_mount, name) != notes_of_a_mount.end();
    if (name == capability || (name.starts_with("trusted.overlay.") && !noted))
        return fail(ErrorCode::unsupported,
                    fmt::format("a file has the attribute {}, which no export can carry", name));
    return std::nullopt;
}

Result<std::string> outside_attribute(std::string_view name, const std::string& value,
                                      std::int64_t uid_base) {
    if (name.starts_with("user.") && name.size() > 5 && name.size() < 256 && !name.contains('\0'))
        return value;
    if (!is_printable(name)) return unknown_attribute("?");
    if (name == opaque && value == "y") return value;
    if (name == capability && is_capability(value)) {
        const bool named = value.size() == capability_3_bytes;
        const std::int64_t root = named ? word_at(value, capability_2_bytes) : 0;
        if (root >= ids_per_container) return unknown_attribute(name);
        std::string outside = value;
        outside.resize(capability_3_bytes);
        put_word(outside, 0, version_3 | (word_at(value, 0) & flags_mask));
        put_word(outside, capability_2_bytes, narrow(uid_base + root));
        return outside;
    }
    if (std::ranges::find(access_lists, name) != access_lists.end() && is_access_list(value)) {
        bool inside = true;
        auto outside = with_ids(value, [&inside, uid_base](std::uint32_t id) {
            inside = inside && id < ids_per_container;
            return narrow(uid_base + id);
        });
        if (inside) return outside;
    }
    return unknown_attribute(name);
}

}  // namespace berth::transfer
