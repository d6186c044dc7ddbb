// SPDX-License-Identifier: Apache-2.0
#include "host/metrics/prometheus.h"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

namespace berth::metrics {
namespace {

using container::Sample;
using engine::RunningUse;

std::optional<double> number(std::int64_t value) {
    return static_cast<double>(value);
}

/// Of one that runs.
template <class Get>
auto of_use(Get get) {
    return [get](const Sample& sample) -> std::optional<double> {
        return sample.use ? get(*sample.use) : std::nullopt;
    };
}

/// A limit, where there is one.
template <class Member>
auto of_limit(Member member) {
    return [member](const Sample& sample) -> std::optional<double> {
        const auto limit = sample.limits.*member;
        return limit > 0 ? number(limit) : std::nullopt;
    };
}

auto of_wait(std::int64_t engine::Pressure::* member) {
    return of_use([member](const RunningUse& use) -> std::optional<double> {
        if (!use.pressure) return std::nullopt;
        return static_cast<double>((*use.pressure).*member) / 1e6;
    });
}

struct Family {
    std::string_view name;  // after "berth_container_"
    std::string_view type;
    std::string_view help;
    std::vector<std::pair<std::string_view, std::function<std::optional<double>(const Sample&)>>>
        values;  // by the labels besides the container's own
};

std::vector<Family> families() {
    using engine::Limits;
    using engine::Pressure;
    return {
        {"running",
         "gauge",
         "Whether its init runs.",
         {{"", [](const Sample& sample) { return number(sample.use ? 1 : 0); }}}},
        {"cpu_seconds_total",
         "counter",
         "CPU time since it was started.",
         {{"", of_use([](const RunningUse& use) {
               return std::optional(static_cast<double>(use.cpu_ms) / 1e3);
           })}}},
        {"cpu_limit",
         "gauge",
         "CPUs that it may use.",
         {{"",
           [](const Sample& sample) {
               return std::optional(static_cast<double>(sample.limits.cpu_percent) / 1e2);
           }}}},
        {"memory_bytes",
         "gauge",
         "Memory, with what the kernel caches for it.",
         {{"", of_use([](const RunningUse& use) { return number(use.memory_bytes); })}}},
        {"memory_limit_bytes",
         "gauge",
         "Memory that it may use.",
         {{"", of_limit(&Limits::memory_bytes)}}},
        {"oom_kills_total",
         "counter",
         "Processes that were killed for want of memory since it was started.",
         {{"", of_use([](const RunningUse& use) { return number(use.oom_kills); })}}},
        {"processes", "gauge", "Processes and threads.", {{"", of_use([](const RunningUse& use) {
                                                               return number(use.processes);
                                                           })}}},
        {"processes_limit",
         "gauge",
         "Processes and threads that it may have.",
         {{"", of_limit(&Limits::processes)}}},
        {"network_bytes_total",
         "counter",
         "Bytes of its network card since it was started.",
         {{",direction=\"receive\"",
           of_use([](const RunningUse& use) { return number(use.received_bytes); })},
          {",direction=\"send\"",
           of_use([](const RunningUse& use) { return number(use.sent_bytes); })}}},
        {"disk_io_bytes_total",
         "counter",
         "Bytes of disks since it was started.",
         {{",direction=\"read\"", of_use([](const RunningUse& use) {
               return use.disk_read_bytes ? number(*use.disk_read_bytes) : std::nullopt;
           })},
          {",direction=\"write\"", of_use([](const RunningUse& use) {
               return use.disk_written_bytes ? number(*use.disk_written_bytes) : std::nullopt;
           })}}},
        {"disk_bytes",
         "gauge",
         "What its files take, of one with a disk of its own.",
         {{"",
           [](const Sample& sample) {
               return sample.disk ? number(sample.disk->bytes) : std::nullopt;
           }}}},
        {"disk_limit_bytes",
         "gauge",
         "What its files may take.",
         {{"", of_limit(&Limits::disk_bytes)}}},
        {"pressure_seconds_total",
         "counter",
         "Time that some process waited for it, since it was started (PSI).",
         {{",resource=\"cpu\"", of_wait(&Pressure::cpu_us)},
          {",resource=\"memory\"", of_wait(&Pressure::memory_us)},
          {",resource=\"io\"", of_wait(&Pressure::io_us)}}},
    };
}

}  // namespace

std::string to_prometheus(std::span<const Sample> samples) {
    std::string text;
    for (const auto& family : families()) {
        auto out = std::back_inserter(text);
        fmt::format_to(out, "# HELP berth_container_{0} {1}\n# TYPE berth_container_{0} {2}\n",
                       family.name, family.help, family.type);
        for (const auto& sample : samples) {
            for (const auto& [labels, value_of] : family.values) {
                if (const auto value = value_of(sample))
                    fmt::format_to(out, "berth_container_{}{{name=\"{}\",id=\"{}\"{}}} {}\n",
                                   family.name, sample.name, sample.id, labels, *value);
            }
        }
    }
    return text;
}

}  // namespace berth::metrics
