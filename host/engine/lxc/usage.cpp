// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/usage.h"

#include "base/files.h"

#include <fmt/format.h>

#include <charconv>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

std::optional<std::int64_t> number(std::string_view digits) {
    std::int64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return read.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> number_in(const Result<fs::path>& directory, std::string_view file) {
    const auto text = directory ? read_file(*directory / file) : Result<std::string>("");
    return text ? number(*text) : std::nullopt;
}

std::optional<std::int64_t> cpu_ms(const Cgroups& cgroups, std::string_view group) {
    if (cgroups.legacy("cpuacct")) {
        const auto ns = number_in(cgroups.directory("cpuacct", group), "cpuacct.usage");
        return ns ? std::optional(*ns / 1'000'000) : std::nullopt;
    }
    const auto directory = cgroups.directory("cpu", group);
    const auto text = directory ? read_file(*directory / "cpu.stat") : Result<std::string>("");
    constexpr std::string_view key = "usage_usec ";  // its first line
    if (!text || !text->starts_with(key)) return std::nullopt;
    const auto us = number(std::string_view(*text).substr(key.size()));
    return us ? std::optional(*us / 1000) : std::nullopt;
}

}  // namespace

std::optional<RunningUse> running_use(const Cgroups& cgroups, std::string_view group,
                                      const std::string& link) {
    const auto memory =
        number_in(cgroups.directory("memory", group),
                  cgroups.legacy("memory") ? "memory.usage_in_bytes" : "memory.current");
    const auto cpu = cpu_ms(cgroups, group);
    const auto processes = number_in(cgroups.directory("pids", group), "pids.current");
    // What the host's end sends is what the container gets.
    const fs::path counters = fmt::format("/sys/class/net/{}/statistics", link);
    const auto received = number_in(counters, "tx_bytes"), sent = number_in(counters, "rx_bytes");
    if (!memory || !cpu || !processes || !received || !sent) return std::nullopt;
    return RunningUse{.memory_bytes = *memory,
                      .cpu_ms = *cpu,
                      .processes = *processes,
                      .received_bytes = *received,
                      .sent_bytes = *sent};
}

}  // namespace berth::engine
