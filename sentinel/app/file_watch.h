// SPDX-License-Identifier: Apache-2.0
// Notices that a file has a new content: written and closed, or another one renamed to its name.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <filesystem>
#include <string>

namespace berth::sentinel {

class FileWatch {
public:
    [[nodiscard]] static Result<FileWatch> start(const std::filesystem::path& path);

    /// Readable when changed() has something to look at.
    [[nodiscard]] int descriptor() const { return inotify_.get(); }
    /// Whether the file may have changed since the last call. Does not wait.
    [[nodiscard]] bool changed();

private:
    FileWatch(Fd inotify, std::string name)
        : inotify_(std::move(inotify)), name_(std::move(name)) {}
    Fd inotify_;
    std::string name_;
};

}  // namespace berth::sentinel
