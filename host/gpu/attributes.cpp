// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/attributes.h"

#include "base/files.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace berth::gpu {

namespace fs = std::filesystem;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<std::string> attribute(const fs::path& file) {
    const auto text = read_file(file, attribute_bytes_max);
    return text ? std::optional(std::string(trimmed(*text))) : std::nullopt;
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = read.ec == std::errc{} && read.ptr == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> number_in(const fs::path& file) {
    const auto text = attribute(file);
    return text ? number(*text) : std::nullopt;
}

std::optional<std::pair<std::uint32_t, std::uint32_t>> device_numbers(std::string_view text) {
    constexpr std::int64_t major_max = 0xfff, minor_max = 0xfffff;  // of dev_t in the kernel
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto major = number(text.substr(0, colon));
    const auto minor = number(text.substr(colon + 1));
    if (!major || !minor || *major < 0 || *major > major_max || *minor < 0 || *minor > minor_max)
        return std::nullopt;
    return std::pair(static_cast<std::uint32_t>(*major), static_cast<std::uint32_t>(*minor));
}

std::optional<std::string> target_of(const fs::path& link) {
    std::error_code none;
    const auto target = fs::read_symlink(link, none);
    return none ? std::nullopt : std::optional(target.filename().string());
}

std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    std::error_code none;
    for (fs::directory_iterator entry(directory, none), end; !none && entry != end;
         entry.increment(none)) {
        names.push_back(entry->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

std::optional<int> number_after(std::string_view name, std::string_view prefix) {
    constexpr std::int64_t most = 1'000'000;
    if (!name.starts_with(prefix)) return std::nullopt;
    const auto value = number(name.substr(prefix.size()));
    if (!value || *value < 0 || *value > most) return std::nullopt;
    return static_cast<int>(*value);
}

}  // namespace berth::gpu
