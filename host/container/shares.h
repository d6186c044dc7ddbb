// SPDX-License-Identifier: Apache-2.0
// Which directories of the host a container may see, and where: what can be told from the paths
// alone. The engine sees to the rest when it opens them.
#pragma once

#include "host/engine/container_engine.h"
#include "host/store/containers.h"
#include "tools-schema/contract/result.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace berth::container {

inline constexpr std::size_t shares_per_container_max = 16;

class ShareRules {
public:
    /// What lies in `allowed` may be shared, unless it lies in `own` or has one of those in it.
    explicit ShareRules(std::vector<std::filesystem::path> allowed = {},
                        std::vector<std::filesystem::path> own = {})
        : allowed_(std::move(allowed)), own_(std::move(own)) {}

    /// How the engine is to open it. denied at /host_path when the operator allows no such
    /// directory.
    [[nodiscard]] Result<engine::Share> find(const store::Share& share) const;

private:
    std::vector<std::filesystem::path> allowed_, own_;
};

/// `shares` with some set and others, by the path inside, removed. invalid_argument at
/// /shares/N/host_path or /shares/N/path, quota_exceeded at /shares.
[[nodiscard]] Result<store::Shares> changed_by(const store::Shares& set,
                                               const std::vector<std::string>& removed,
                                               store::Shares shares);

}  // namespace berth::container
