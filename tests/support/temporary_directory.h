// SPDX-License-Identifier: Apache-2.0
// A directory of a test's own, gone with all it holds when the test ends.
#pragma once

#include "base/files.h"

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace berth {

class TemporaryDirectory {
public:
    TemporaryDirectory()
        : path_(std::filesystem::temp_directory_path() / ("berth-test-" + random_hex(8))) {
        std::filesystem::create_directory(path_);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { (void)remove_tree(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    /// Writes a file below it, with the directories that lead there.
    void write(const std::filesystem::path& file, std::string_view content) const {
        std::filesystem::create_directories((path_ / file).parent_path());
        const auto written = write_file_atomically(path_ / file, content, {.durable = false});
        if (!written) throw std::runtime_error(written.error().message);
    }

private:
    std::filesystem::path path_;
};

}  // namespace berth
