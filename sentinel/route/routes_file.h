// SPDX-License-Identifier: Apache-2.0
// Static routes: one a line, "HOSTNAME ADDRESS:PORT [POOL]", with '#' for comments.
#pragma once

#include "sentinel/route/own_addresses.h"
#include "sentinel/route/route_table.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sentinel {

/// The largest file: a million routes are some 50 MB.
constexpr std::size_t routes_file_bytes_max = std::size_t{2} * 1024 * 1024 * 1024;

/// What the command line says of pools, for a file has no place for it, and where none may be.
struct PoolSettings {
    std::string default_pool = {};
    std::set<std::string, std::less<>> proxy_protocol = {};  // names of pools, or "*" for all
    OwnAddresses own = {};
    /// How long a primary that does not beat stays registered.
    std::chrono::milliseconds registration_ttl = std::chrono::seconds(90);
};

/// Reads routes. A pool without a name is called by its address. invalid_argument names the first
/// line that is wrong: no name, no address, too many words, or a pool with two addresses.
class RoutesFile {
public:
    [[nodiscard]] static Result<RoutesFile> parse(std::string text, const PoolSettings& settings);
    [[nodiscard]] static Result<RoutesFile> load(const std::filesystem::path& path,
                                                 const PoolSettings& settings);
    [[nodiscard]] const RouteList& list() const { return list_; }
    /// Pools whose address leads back to the sentinel, which go nowhere therefore: one line each.
    [[nodiscard]] const std::vector<std::string>& led_back() const { return led_back_; }

private:
    std::unique_ptr<std::string> keys_;  // what the list's keys point into
    RouteList list_;
    std::vector<std::string> led_back_;
};

}  // namespace berth::sentinel
