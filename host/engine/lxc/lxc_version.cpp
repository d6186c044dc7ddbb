// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/lxc_version.h"

#include <array>
#include <charconv>

namespace berth::engine {
namespace {

using Version = std::array<int, 3>;

/// Each version below that one, unless a row above says more of it.
struct Trouble {
    Version below;
    std::string_view why;
};
constexpr std::array troubles{
    Trouble{{5, 0, 2}, "berth is tested with liblxc 5.0.2 and newer, and with none before"},
};

/// What is not said is 0, and what follows the numbers ("-devel", "~git1") is left out.
std::optional<Version> parse(std::string_view text) {
    Version version{};
    const auto* at = text.data();
    const auto* const end = at + text.size();
    for (auto& number : version) {
        const auto read = std::from_chars(at, end, number);
        if (read.ec != std::errc{} || number < 0) return std::nullopt;
        at = read.ptr;
        if (at == end || *at != '.') break;
        ++at;
    }
    return version;
}

}  // namespace

std::optional<std::string_view> trouble_with_lxc(std::string_view version) {
    const auto parsed = parse(version);
    if (!parsed) return "its version cannot be read, so nobody knows whether berth works with it";
    for (const auto& trouble : troubles) {
        if (*parsed < trouble.below) return trouble.why;
    }
    return std::nullopt;
}

}  // namespace berth::engine
