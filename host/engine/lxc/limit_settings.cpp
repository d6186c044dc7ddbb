// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/limit_settings.h"

#include "base/files.h"
#include "base/rollback.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view memory_and_swap = "memory.memsw.limit_in_bytes";
constexpr int cpu_period_us = 100'000;
constexpr std::chrono::seconds freeze_time_max{10};
constexpr int freeze_moment_ms = 2;

Error without(std::string_view controller) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("this kernel offers no '{}' cgroup controller, so a container "
                                  "could not be limited",
                                  controller))
        .call("system_info", Json::object());
}

/// The number behind `key` in a file of "key number" lines.
std::optional<std::int64_t> number_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!line.starts_with(key) || line.substr(key.size(), 1) != " ") continue;
        const auto digits = line.substr(key.size() + 1);
        std::int64_t value = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc{})
            return value;
    }
    return std::nullopt;
}

/// A limit that somebody asks for and that has no means here.
Error no_means(std::string_view what, std::string_view field, std::string_view next) {
    return make_error(ErrorCode::unsupported,
                      fmt::format("{} cannot be limited on this machine", what))
        .at(field)
        .next(next);
}

/// Swap counts with the memory (v1), or by itself (v2).
Result<> add_swap(std::vector<LimitSetting>& settings, const Limits& limits,
                  const Cgroups& cgroups) {
    if (!limits_swap(cgroups)) {
        if (limits.swap_bytes == 0) return {};
        return fail(no_means("swap", "/swap_bytes", "leave it out; system_info says why"));
    }
    if (cgroups.legacy("memory")) {
        settings.push_back({.controller = "memory",
                            .file = std::string(memory_and_swap),
                            .value = std::to_string(limits.memory_bytes + limits.swap_bytes)});
    } else {
        settings.push_back({.controller = "memory",
                            .file = "memory.swap.max",
                            .value = std::to_string(limits.swap_bytes)});
    }
    return {};
}

Result<> add_io(std::vector<LimitSetting>& settings, const Limits& limits, const Cgroups& cgroups,
                std::string_view disk) {
    const auto bytes = limits.io_bytes_per_second, operations = limits.io_operations_per_second;
    if (disk.empty() || !limits_io(cgroups)) {
        if (bytes == 0 && operations == 0) return {};
        return fail(no_means("the speed of the disk",
                             bytes > 0 ? "/io_bytes_per_second" : "/io_operations_per_second",
                             "leave it out; system_info says why"));
    }
    if (cgroups.legacy("blkio")) {
        for (const auto& [file, limit] :
             {std::pair("read_bps", bytes), std::pair("write_bps", bytes),
              std::pair("read_iops", operations), std::pair("write_iops", operations)}) {
            settings.push_back({.controller = "blkio",
                                .file = fmt::format("blkio.throttle.{}_device", file),
                                .value = fmt::format("{} {}", disk, limit),
                                .none = fmt::format("{} 0", disk)});
        }
        return {};
    }
    const auto line = [disk](std::int64_t bytes_max, std::int64_t operations_max) {
        const auto word = [](std::int64_t limit) {
            return limit == 0 ? std::string("max") : std::to_string(limit);
        };
        return fmt::format("{} rbps={} wbps={} riops={} wiops={}", disk, word(bytes_max),
                           word(bytes_max), word(operations_max), word(operations_max));
    };
    settings.push_back({.controller = "io",
                        .file = "io.max",
                        .value = line(bytes, operations),
                        .none = line(0, 0)});
    return {};
}

/// On v1 memory alone is never to be more than memory and swap: whichever way it goes, the one
/// that makes room comes first.
void put_in_order(std::vector<LimitSetting>& settings, const fs::path& directory) {
    const auto both =
        std::ranges::find(settings, memory_and_swap, [](const auto& one) { return one.file; });
    const auto now = read_file(directory / memory_and_swap);
    if (both == settings.end() || !now) return;
    const auto alone = std::prev(both);
    if (std::strtoull(now->c_str(), nullptr, 10) < std::strtoull(alone->value.c_str(), nullptr, 10))
        std::iter_swap(alone, both);
}

Error uses_more(const std::string& limit) {
    return make_error(ErrorCode::busy,
                      fmt::format("the container uses more memory than {} bytes now", limit))
        .at("/memory_bytes")
        .next("end something in it first, or ask for more");
}

/// cgroup v2 would take the limit and kill processes until it holds; v1 refuses by itself.
Result<> check_memory(const Cgroups& cgroups, const fs::path& directory, const Limits& limits) {
    if (cgroups.legacy("memory")) return {};
    const auto text = BERTH_TRY(read_file(directory / "memory.stat"));
    if (number_of(text, "anon").value_or(0) >= limits.memory_bytes)
        return fail(uses_more(std::to_string(limits.memory_bytes)));
    return {};
}

/// The file that freezes, and what it says when all is halted.
struct Freezer {
    fs::path directory;
    bool legacy = false;
};

Result<Freezer> freezer_of(const Cgroups& cgroups, std::string_view group) {
    return Freezer{.directory = BERTH_TRY(cgroups.directory("freezer", group)),
                   .legacy = cgroups.legacy("freezer")};
}

bool halted(const Freezer& freezer) {
    if (freezer.legacy) {
        const auto state = read_file(freezer.directory / "freezer.state");
        return state && state->starts_with("FROZEN");
    }
    const auto events = read_file(freezer.directory / "cgroup.events");
    return events && number_of(*events, "frozen") == 1;
}

Result<> order(const Freezer& freezer, bool frozen) {
    if (freezer.legacy)
        return write_kernel_file(freezer.directory / "freezer.state", frozen ? "FROZEN" : "THAWED");
    return write_kernel_file(freezer.directory / "cgroup.freeze", frozen ? "1" : "0");
}

}  // namespace

bool limits_swap(const Cgroups& cgroups) {
    if (cgroups.legacy("memory")) return cgroups.legacy_file("memory", memory_and_swap);
    // The root group has no file to look for; a kernel with swap counts it on the unified
    // hierarchy.
    std::error_code ignored;
    return cgroups.unified("memory") && fs::exists("/proc/swaps", ignored);
}

bool limits_io(const Cgroups& cgroups) {
    if (cgroups.legacy("blkio"))
        return cgroups.legacy_file("blkio", "blkio.throttle.read_bps_device");
    return cgroups.unified("io");
}

Result<std::vector<LimitSetting>> limit_settings(const Limits& limits, const Cgroups& cgroups,
                                                 std::string_view disk) {
    for (const auto* controller : {"memory", "cpu", "pids"}) {
        if (!cgroups.legacy(controller) && !cgroups.unified(controller))
            return fail(without(controller));
    }
    std::vector<LimitSetting> settings;
    settings.push_back({.controller = "memory",
                        .file = cgroups.legacy("memory") ? "memory.limit_in_bytes" : "memory.max",
                        .value = std::to_string(limits.memory_bytes)});
    BERTH_TRY(add_swap(settings, limits, cgroups));
    const auto quota = std::to_string(limits.cpu_percent * cpu_period_us / 100);
    const auto period = std::to_string(cpu_period_us);
    if (cgroups.legacy("cpu")) {
        settings.push_back({.controller = "cpu", .file = "cpu.cfs_period_us", .value = period});
        settings.push_back({.controller = "cpu", .file = "cpu.cfs_quota_us", .value = quota});
    } else {
        settings.push_back({.controller = "cpu", .file = "cpu.max", .value = quota + " " + period});
    }
    settings.push_back(
        {.controller = "pids", .file = "pids.max", .value = std::to_string(limits.processes)});
    BERTH_TRY(add_io(settings, limits, cgroups, disk));
    return settings;
}

Result<> apply_limits(const Limits& limits, const Cgroups& cgroups, std::string_view disk,
                      std::string_view group) {
    const auto memory = BERTH_TRY(cgroups.directory("memory", group));
    BERTH_TRY(check_memory(cgroups, memory, limits));
    auto settings = BERTH_TRY(limit_settings(limits, cgroups, disk));
    put_in_order(settings, memory);
    Rollback undo;
    for (const auto& setting : settings) {
        const auto path = BERTH_TRY(cgroups.directory(setting.controller, group)) / setting.file;
        auto before = BERTH_TRY(read_file(path));
        if (before.empty()) before = setting.none;
        if (before == setting.value || before == setting.value + "\n") continue;
        if (auto written = write_kernel_file(path, setting.value); !written) {
            if (setting.controller == "memory") return fail(uses_more(setting.value));
            return written;
        }
        undo.on_failure([path, before = std::move(before)]() noexcept {
            (void)write_kernel_file(path, before);
        });
    }
    undo.keep();
    return {};
}

Result<> set_frozen(const Cgroups& cgroups, std::string_view group, bool frozen) {
    const auto freezer = BERTH_TRY(freezer_of(cgroups, group));
    BERTH_TRY(order(freezer, frozen));
    if (!frozen) return {};
    Rollback undo;
    undo.on_failure([&]() noexcept { (void)order(freezer, false); });
    const auto deadline = std::chrono::steady_clock::now() + freeze_time_max;
    while (!halted(freezer)) {
        if (std::chrono::steady_clock::now() > deadline) {
            return fail(make_error(ErrorCode::timed_out,
                                   "a process of the container could not be halted in time")
                            .next("call again"));
        }
        (void)::poll(nullptr, 0, freeze_moment_ms);  // the kernel tells nobody on cgroup v1
        // Where it has, too, to be told again: one that began to wait for its vfork(2) after it was
        // looked at halts by the next look alone, and its child does by the first.
        if (freezer.legacy) BERTH_TRY(order(freezer, true));
    }
    undo.keep();
    return {};
}

bool is_frozen(const Cgroups& cgroups, std::string_view group) {
    const auto freezer = freezer_of(cgroups, group);
    return freezer && halted(*freezer);
}

}  // namespace berth::engine
