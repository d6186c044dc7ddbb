// SPDX-License-Identifier: Apache-2.0
// What only NVIDIA's own tool tells: memory, errors, persistence. Its CSV output is for programs.
#pragma once

#include "tools-schema/contract/names.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gpu {

struct SmiReport {
    PciAddress address;
    std::optional<std::int64_t> memory_bytes = {};
    std::optional<bool> persistence = {};
    std::optional<std::int64_t> uncorrected_errors = {};  // since the driver was loaded
    bool operator==(const SmiReport&) const = default;
};

/// One line a GPU, as ask_nvidia_smi() asks for it; values that the tool does not know ("[N/A]")
/// are nothing, lines of another form are passed over. Pure.
[[nodiscard]] std::vector<SmiReport> parse_smi(std::string_view csv);

/// Runs `program`. It may take seconds while the driver starts the GPUs; timed_out after ten.
[[nodiscard]] Result<std::vector<SmiReport>> ask_nvidia_smi(const std::filesystem::path& program);

}  // namespace berth::gpu
