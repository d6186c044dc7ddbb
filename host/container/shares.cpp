// SPDX-License-Identifier: Apache-2.0
#include "host/container/shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

namespace berth::container {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t path_bytes_max = 1024;

// What liblxc and init mount themselves, and berth's own; a share there would be covered, or cover.
constexpr std::array<std::string_view, 5> taken_inside{"/proc", "/sys", "/dev", "/run",
                                                       "/usr/lib/berth"};

/// Whether `path` is `top` or lies in it; both are plain.
bool lies_in(const fs::path& path, const fs::path& top) {
    const auto [in_top, in_path] = std::mismatch(top.begin(), top.end(), path.begin(), path.end());
    return in_top == top.end();
}

bool overlap(const fs::path& one, const fs::path& other) {
    return lies_in(one, other) || lies_in(other, one);
}

/// Whether each step of it leads down, and it is written in the one shortest way.
bool is_plain(const std::string& path) {
    return path.starts_with('/') && path.size() <= path_bytes_max && !path.contains('\0') &&
           (path == "/" || !path.ends_with('/')) &&
           fs::path(path).lexically_normal().string() == path;
}

Error not_plain(std::string_view field) {
    return make_error(ErrorCode::invalid_argument,
                      fmt::format("must be an absolute path of at most {} bytes without '.', '..', "
                                  "'//' and a '/' at its end",
                                  path_bytes_max))
        .at(field);
}

Result<> check(const store::Share& share, const store::Shares& others) {
    if (!is_plain(share.host_path)) return fail(not_plain("/host_path"));
    if (!is_plain(share.path)) return fail(not_plain("/path"));
    const auto refuse = [](std::string why) {
        return fail(make_error(ErrorCode::invalid_argument, std::move(why))
                        .at("/path")
                        .next("choose another path, for example one in /srv"));
    };
    for (const auto taken : taken_inside) {
        if (overlap(share.path, taken))
            return refuse(fmt::format("'{}' and {} cannot both be there", share.path, taken));
    }
    for (const auto& other : others) {
        if (overlap(share.path, other.path))
            return refuse(
                fmt::format("one of '{}' and '{}' lies in the other", share.path, other.path));
    }
    return {};
}

}  // namespace

Result<engine::Share> ShareRules::find(const store::Share& share) const {
    for (const auto& allowed : allowed_) {
        if (!lies_in(share.host_path, allowed)) continue;
        std::error_code missing;
        const auto real = fs::canonical(allowed, missing);
        if (missing) continue;
        const auto below = fs::path(share.host_path).lexically_relative(allowed);
        const auto whole = below == "." ? real : real / below;
        const bool ours =
            std::ranges::any_of(own_, [&](const auto& own) { return overlap(whole, own); });
        if (ours) continue;
        return engine::Share{.allowed = real,
                             .below = below == "." ? "" : below.string(),
                             .inside = share.path.substr(1),
                             .writable = share.writable};
    }
    return fail(make_error(ErrorCode::denied,
                           fmt::format("the operator of this host does not allow '{}' to be shared",
                                       share.host_path))
                    .at("/host_path")
                    .next("name a directory that is allowed, or have the operator add one to "
                          "[shares] allowed in berthd.toml"));
}

Result<store::Shares> changed_by(const store::Shares& set, const std::vector<std::string>& removed,
                                 store::Shares shares) {
    std::erase_if(shares, [&](const store::Share& share) {
        return std::ranges::find(removed, share.path) != removed.end() ||
               std::ranges::find(set, share.path, &store::Share::path) != set.end();
    });
    for (std::size_t index = 0; index < set.size(); ++index) {
        if (auto fine = check(set[index], shares); !fine) {
            const auto field = fmt::format("/shares/{}{}", index, fine.error().field);
            return fail(std::move(fine).error().at(field));
        }
        shares.push_back(set[index]);
    }
    if (shares.size() <= shares_per_container_max) return shares;
    return fail(
        make_error(ErrorCode::quota_exceeded,
                   fmt::format("a container has at most {} shares", shares_per_container_max))
            .at("/shares")
            .next("remove others with remove_shares, or share a directory that holds them"));
}

}  // namespace berth::container
