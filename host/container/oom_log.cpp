// SPDX-License-Identifier: Apache-2.0
#include "host/container/oom_log.h"

#include <charconv>

namespace berth::container {
namespace {

constexpr std::size_t name_bytes_max = 15UL * 4;  // TASK_COMM_LEN, each byte as \xNN

}  // namespace

// "priority,sequence,microseconds,flags;message"
std::optional<LogPlace> log_place_of(std::string_view record) {
    LogPlace place;
    std::int64_t microseconds = 0;
    const auto* const end = record.data() + record.size();
    const auto first = record.find(',');
    if (first == std::string_view::npos) return std::nullopt;
    const auto sequence = std::from_chars(record.data() + first + 1, end, place.sequence);
    if (sequence.ec != std::errc{} || sequence.ptr == end || *sequence.ptr != ',')
        return std::nullopt;
    if (std::from_chars(sequence.ptr + 1, end, microseconds).ec != std::errc{}) return std::nullopt;
    place.since_boot = std::chrono::microseconds(microseconds);
    return place;
}

// Of 6.18 (mm/oom_kill.c), and the same since 5.3:
//   Memory cgroup out of memory: Killed process 22216 (python3) total-vm:104456kB, …, UID:0 …
// A record that a process of the host wrote itself says so by its facility, which is not 0.
std::optional<OomKill> oom_kill_of(std::string_view record) {
    constexpr std::string_view own_limit = "Memory cgroup out of memory: Killed process ";
    constexpr std::string_view whole_host = "Out of memory: Killed process ";
    unsigned priority = 0;
    const auto number = std::from_chars(record.data(), record.data() + record.size(), priority);
    const auto begin = record.find(';');
    if (number.ec != std::errc{} || priority >= 8 || begin == std::string_view::npos)
        return std::nullopt;
    auto message = record.substr(begin + 1);
    message = message.substr(0, message.find('\n'));
    const bool of_own_limit = message.starts_with(own_limit);
    if (!of_own_limit && !message.starts_with(whole_host)) return std::nullopt;
    const auto at = of_own_limit ? own_limit.size() : whole_host.size();
    // What follows the name is looked for from behind, whatever the name pretends to be.
    const auto name_begin = message.find(" (", at);
    const auto name_end = message.rfind(") total-vm:");
    const auto user = message.rfind(", UID:");
    const bool in_order = name_begin != std::string_view::npos &&
                          name_end != std::string_view::npos && user != std::string_view::npos &&
                          name_begin + 2 <= name_end && name_end < user;
    if (!in_order) return std::nullopt;
    OomKill kill{.process = std::string(message.substr(name_begin + 2, name_end - name_begin - 2)),
                 .of_own_limit = of_own_limit};
    const auto digits = message.substr(user + std::string_view(", UID:").size());
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), kill.uid);
    if (read.ec != std::errc{} || kill.process.size() > name_bytes_max) return std::nullopt;
    return kill;
}

}  // namespace berth::container
