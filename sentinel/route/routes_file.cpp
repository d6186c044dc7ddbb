// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/routes_file.h"

#include "base/files.h"
#include "sentinel/tls/server_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <unordered_map>
#include <utility>

namespace berth::sentinel {
namespace {

constexpr std::size_t words_max = 3;

struct Words {
    std::array<std::string_view, words_max> word;
    std::size_t count = 0;  // words_max + 1 when there are more
};

Words split(std::string_view line) {
    constexpr std::string_view blanks = " \t\r";
    line = line.substr(0, line.find('#'));
    Words words;
    while (true) {
        line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
        if (line.empty()) return words;
        if (words.count == words_max) {
            ++words.count;
            return words;
        }
        const auto word = line.substr(0, line.find_first_of(blanks));
        words.word[words.count++] = word;
        line.remove_prefix(word.size());
    }
}

/// Finds pools of a list again: most lines name one that an earlier line named.
class PoolIndex {
public:
    PoolIndex(std::vector<Pool>& pools, const PoolSettings& settings,
              std::vector<std::string>& led_back)
        : pools_(pools), settings_(settings), led_back_(led_back) {}

    Result<std::uint32_t> of(std::string_view address, std::string_view name) {
        if (const auto seen = by_text_.find({address, name}); seen != by_text_.end()) {
            return seen->second;
        }
        const auto primary = BERTH_TRY(SocketAddress::parse(address));
        if (primary.port() == 0) return fail(ErrorCode::invalid_argument, "port 0 is no port");
        if (!name.empty() && !is_pool_name(name)) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("\"{}\" is no name of a pool", name));
        }
        std::string full = name.empty() ? primary.to_string() : std::string(name);
        const auto [known, is_new] =
            by_name_.emplace(full, static_cast<std::uint32_t>(pools_.size()));
        if (is_new) {
            const auto& told = settings_.proxy_protocol;
            const bool proxied = told.contains("*") || told.contains(full);
            Destination to = primary;
            if (settings_.own.lead_back(primary)) {
                led_back_.push_back(fmt::format("{} of pool \"{}\"", address, full));
                to = Nowhere{};
            }
            addresses_.push_back(primary);
            pools_.push_back({.name = std::move(full), .primary = to, .proxy_protocol = proxied});
        } else if (addresses_[known->second] != primary) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("pool \"{}\" has another address above, {}", full,
                                    addresses_[known->second].to_string()));
        }
        by_text_.emplace(std::pair(address, name), known->second);
        return known->second;
    }

private:
    struct HashPair {
        std::size_t operator()(const std::pair<std::string_view, std::string_view>& both) const {
            const std::hash<std::string_view> hash;
            return hash(both.first) * 31 + hash(both.second);
        }
    };
    std::vector<Pool>& pools_;
    const PoolSettings& settings_;
    std::vector<std::string>& led_back_;
    std::vector<SocketAddress> addresses_;  // of the pools, as they were written
    std::unordered_map<std::pair<std::string_view, std::string_view>, std::uint32_t, HashPair>
        by_text_;
    std::unordered_map<std::string, std::uint32_t> by_name_;
};

}  // namespace

Result<RoutesFile> RoutesFile::parse(std::string text, const PoolSettings& settings) {
    RoutesFile file;
    // Each key is written over the line that it was read from, and is never longer.
    file.keys_ = std::make_unique<std::string>(std::move(text));
    std::string& all = *file.keys_;
    file.list_.routes.reserve(static_cast<std::size_t>(std::ranges::count(all, '\n')) + 1);
    file.list_.default_pool = settings.default_pool;
    PoolIndex pools(file.list_.pools, settings, file.led_back_);
    std::size_t number = 0;
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t end = std::min(all.find('\n', at), all.size());
        ++number;
        const Words words = split(std::string_view(all).substr(at, end - at));
        at = end + 1;
        if (words.count == 0) continue;
        const auto line = [number](Error error) {
            return std::move(error).in(fmt::format("line {}", number));
        };
        if (words.count == 1 || words.count > words_max) {
            return fail(line(make_error(ErrorCode::invalid_argument, "not two or three words"))
                            .next("write \"HOSTNAME ADDRESS:PORT\", and a pool's name if wanted"));
        }
        const bool below = words.word[0].starts_with("*.");
        const auto name = ServerName::parse(words.word[0].substr(below ? 2 : 0));
        if (!name) {
            return fail(line(RoutePattern::parse(words.word[0]).error()));
        }
        const auto pool = pools.of(words.word[1], words.word[2]);
        if (!pool) return fail(line(pool.error()));
        // In place of "*.example.com" comes ".example.com", which is what a key is.
        const auto begin = static_cast<std::size_t>(words.word[0].data() - all.data());
        const std::size_t key = begin + (below ? 1 : 0);
        std::ranges::copy(name->text(),
                          all.begin() + static_cast<std::ptrdiff_t>(begin + (below ? 2 : 0)));
        file.list_.routes.push_back(
            {.key = std::string_view(all).substr(key, name->text().size() + (below ? 1 : 0)),
             .pool = *pool});
    }
    return file;
}

Result<RoutesFile> RoutesFile::load(const std::filesystem::path& path,
                                    const PoolSettings& settings) {
    return parse(BERTH_TRY(read_file(path, routes_file_bytes_max)), settings);
}

}  // namespace berth::sentinel
