// SPDX-License-Identifier: Apache-2.0
// A file that is read again when it changes, so that a token is added or taken away without a
// restart.
#pragma once

#include "base/clock.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace berth::auth {

/// A file is looked at no more often than this.
inline constexpr std::chrono::seconds watched_file_interval{1};

struct WatchedFileOptions {
    std::size_t bytes_max = 1024 * std::size_t{1024};
    mode_t forbidden_mode = 0;  // bits that no such file may have
};

class WatchedFile {
public:
    WatchedFile(std::filesystem::path path, const WatchedFileOptions& options, const Clock& clock)
        : path_(std::move(path)), options_(options), clock_(&clock) {}

    /// The content when it is not what was given before, or nothing. After an error the file is
    /// looked at every time, and its content is given as soon as it can be.
    [[nodiscard]] Result<std::optional<std::string>> changed();

    /// The content was of no use: it is given again when the file is looked at next.
    void forget() {
        stamp_.reset();
        looked_at_.reset();
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    struct Stamp {
        ino_t inode = 0;
        off_t size = 0;
        timespec modified = {}, status_changed = {};
    };
    [[nodiscard]] Result<std::optional<std::string>> read_if_new();

    std::filesystem::path path_;
    WatchedFileOptions options_;
    const Clock* clock_;
    std::optional<std::chrono::steady_clock::time_point> looked_at_;
    std::optional<Stamp> stamp_;
};

/// A whole file that is to be believed: `denied` when it has a forbidden bit of mode or belongs to
/// anyone but root and this process's user.
[[nodiscard]] Result<std::string> read_trusted_file(const std::filesystem::path& path,
                                                    const WatchedFileOptions& options);

}  // namespace berth::auth
