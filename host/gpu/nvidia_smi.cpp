// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/nvidia_smi.h"

#include "base/subprocess.h"
#include "host/gpu/attributes.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

namespace berth::gpu {
namespace {

constexpr std::size_t columns = 4;

std::array<std::string_view, columns> cells_of(std::string_view line) {
    std::array<std::string_view, columns> cells{};
    for (auto& cell : cells) {
        const auto comma = std::min(line.find(','), line.size());
        cell = trimmed(line.substr(0, comma));
        line.remove_prefix(std::min(comma + 1, line.size()));
    }
    return cells;
}

/// "00000000:0B:00.0": eight digits of domain, of which PCI has four.
std::optional<PciAddress> smi_address_in(std::string_view text) {
    constexpr std::string_view unused = "0000";
    if (!text.starts_with(unused)) return std::nullopt;
    std::string address(text.substr(unused.size()));
    std::ranges::transform(address, address.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'F' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    const auto parsed = PciAddress::parse(address);
    return parsed ? std::optional(*parsed) : std::nullopt;
}

}  // namespace

std::vector<SmiReport> parse_smi(std::string_view csv) {
    constexpr std::int64_t mebibyte = 1 << 20;
    std::vector<SmiReport> reports;
    while (!csv.empty()) {
        const auto end = std::min(csv.find('\n'), csv.size());
        const auto cells = cells_of(csv.substr(0, end));
        csv.remove_prefix(std::min(end + 1, csv.size()));
        const auto address = smi_address_in(cells[0]);
        if (!address) continue;
        SmiReport report{.address = *address};
        const auto memory = number(cells[1]);
        if (memory && *memory > 0 && *memory < std::numeric_limits<std::int64_t>::max() / mebibyte)
            report.memory_bytes = *memory * mebibyte;
        if (cells[2] == "Enabled") report.persistence = true;
        if (cells[2] == "Disabled") report.persistence = false;
        const auto errors = number(cells[3]);
        if (errors && *errors >= 0) report.uncorrected_errors = errors;
        reports.push_back(report);
    }
    return reports;
}

Result<std::vector<SmiReport>> ask_nvidia_smi(const std::filesystem::path& program) {
    const auto csv =
        BERTH_TRY(run_checked({.argv = {program.string(),
                                        "--query-gpu=pci.bus_id,memory.total,persistence_mode,"
                                        "ecc.errors.uncorrected.volatile.total",
                                        "--format=csv,noheader,nounits"},
                               .timeout = std::chrono::seconds(10)}));
    return parse_smi(csv);
}

}  // namespace berth::gpu
