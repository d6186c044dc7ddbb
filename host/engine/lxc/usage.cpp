// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/usage.h"

#include "base/files.h"

#include <fmt/format.h>

#include <algorithm>
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

std::optional<std::string> text_in(const Result<fs::path>& directory, std::string_view file) {
    if (!directory) return std::nullopt;
    auto text = read_file(*directory / file);
    return text ? std::optional(*std::move(text)) : std::nullopt;
}

/// The word at `index` of a line.
std::string_view word_of(std::string_view line, std::size_t index) {
    for (; index > 0; --index) {
        const auto space = line.find(' ');
        if (space == std::string_view::npos) return {};
        line.remove_prefix(space + 1);
    }
    return line.substr(0, line.find(' '));
}

std::int64_t oom_kills(const Cgroups& cgroups, std::string_view group) {
    const auto directory = cgroups.directory("memory", group);
    const auto text =
        text_in(directory, cgroups.legacy("memory") ? "memory.oom_control" : "memory.events");
    return text ? count_of(*text, "oom_kill") : 0;
}

void add_disk(RunningUse& use, const Cgroups& cgroups, std::string_view group) {
    const bool legacy = cgroups.legacy("blkio");
    const auto directory = cgroups.directory(legacy ? "blkio" : "io", group);
    const auto text =
        text_in(directory, legacy ? "blkio.throttle.io_service_bytes_recursive" : "io.stat");
    if (!text) return;
    const auto [read, written] = disk_bytes_of(*text);
    use.disk_read_bytes = read;
    use.disk_written_bytes = written;
}

/// Every unified hierarchy has these, whatever controllers it has.
std::optional<Pressure> pressure(const Cgroups& cgroups, std::string_view group) {
    const auto directory = cgroups.unified_directory(group);
    if (!directory) return std::nullopt;
    const auto waited = [&directory](std::string_view file) {
        const auto text = read_file(*directory / file);
        return text ? waited_us(*text) : std::nullopt;
    };
    const auto cpu = waited("cpu.pressure"), memory = waited("memory.pressure"),
               io = waited("io.pressure");
    if (!cpu || !memory || !io) return std::nullopt;
    return Pressure{.cpu_us = *cpu, .memory_us = *memory, .io_us = *io};
}

}  // namespace

std::int64_t count_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        if (word_of(line, 0) == key) return number(word_of(line, 1)).value_or(0);
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return 0;
}

std::pair<std::int64_t, std::int64_t> disk_bytes_of(std::string_view text) {
    std::int64_t read = 0, written = 0;
    const auto add = [](std::int64_t& to, std::string_view digits) {
        to += number(digits).value_or(0);
    };
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        // "254:0 Read 4096" and "254:0 Write 8192" (v1); "254:0 rbytes=4096 wbytes=8192 …" (v2).
        if (word_of(line, 1) == "Read") add(read, word_of(line, 2));
        if (word_of(line, 1) == "Write") add(written, word_of(line, 2));
        for (std::size_t index = 1; !word_of(line, index).empty(); ++index) {
            const auto word = word_of(line, index);
            if (word.starts_with("rbytes=")) add(read, word.substr(7));
            if (word.starts_with("wbytes=")) add(written, word.substr(7));
        }
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return {read, written};
}

std::optional<std::int64_t> waited_us(std::string_view text) {
    constexpr std::string_view total = "total=";
    if (!text.starts_with("some ")) return std::nullopt;
    const auto line = text.substr(0, text.find('\n'));
    const auto at = line.rfind(total);
    return at == std::string_view::npos ? std::nullopt : number(line.substr(at + total.size()));
}

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
    RunningUse use{.memory_bytes = *memory,
                   .cpu_ms = *cpu,
                   .processes = *processes,
                   .received_bytes = *received,
                   .sent_bytes = *sent,
                   .oom_kills = oom_kills(cgroups, group),
                   .pressure = pressure(cgroups, group)};
    add_disk(use, cgroups, group);
    return use;
}

}  // namespace berth::engine
