// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/entry.h"

#include <fmt/format.h>

#include <ranges>
#include <string_view>

namespace berth::transfer {
namespace {

/// What stands in an error for a path of any bytes.
std::string shown(std::string_view path) {
    constexpr std::size_t shown_bytes_max = 100;
    std::string text;
    for (const char byte : path.substr(0, shown_bytes_max))
        text += byte >= ' ' && byte <= '~' ? byte : '?';
    return path.size() > shown_bytes_max ? text + "…" : text;
}

}  // namespace

Result<> check_path(const std::string& path) {
    if (path.size() > path_bytes_max)
        return fail(ErrorCode::invalid_argument, "a path in it is too long");
    for (const auto part : std::views::split(path, '/')) {
        const std::string_view name{part};
        if (name.empty() || name == "." || name == ".." || name.contains('\0') ||
            name.size() > name_bytes_max)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("'{}' in it is no path of plain names", shown(path)));
    }
    return {};
}

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace berth::transfer
