// SPDX-License-Identifier: Apache-2.0
// Notices when berthd's last run was ended by a crash, a kill or a power cut: a file stands while
// it runs, and whoever is stopped takes it away.
#pragma once

#include "host/warning/warnings.h"

#include <filesystem>

namespace berth::warning {

class RunMark {
public:
    /// Raises a warning when the last one has not been taken away, and resolves it otherwise.
    RunMark(std::filesystem::path path, Warnings& warnings);
    RunMark(const RunMark&) = delete;
    RunMark& operator=(const RunMark&) = delete;
    ~RunMark();

private:
    std::filesystem::path path_;
};

}  // namespace berth::warning
