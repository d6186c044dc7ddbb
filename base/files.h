// SPDX-License-Identifier: Apache-2.0
// Whole small files, read and written so that a crash leaves the old content or the new, never
// half.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace berth {

/// The error for a failed system call: errno's meaning behind what was being done. ENOENT becomes
/// not_found, EEXIST already_exists, EACCES and EPERM denied, ENOSPC and EMFILE quota_exceeded,
/// everything else unavailable.
[[nodiscard]] Error system_error(std::string_view doing, int errno_value);

/// Reads a whole file; quota_exceeded when it has more than `bytes_max` bytes.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path,
                                            std::size_t bytes_max = 1024 * 1024);

struct WriteOptions {
    mode_t mode = 0644;
    uid_t owner = static_cast<uid_t>(-1);  // -1: leave as created
    gid_t group = static_cast<gid_t>(-1);
    bool durable = true;  // fsync the file and its directory before returning
};

/// Replaces a file by writing a temporary one beside it and renaming.
[[nodiscard]] Result<> write_file_atomically(const std::filesystem::path& path,
                                             std::string_view content,
                                             const WriteOptions& options = {});

/// Writes into an existing kernel file (cgroup, sysctl) with one write(2).
[[nodiscard]] Result<> write_kernel_file(const std::filesystem::path& path,
                                         std::string_view content);

/// mkdir -p with a mode for every directory it makes.
[[nodiscard]] Result<> make_directories(const std::filesystem::path& path, mode_t mode = 0755);

/// Removes a tree without following symbolic links and without crossing into a mounted file system;
/// a path that is not there is fine.
[[nodiscard]] Result<> remove_tree(const std::filesystem::path& path);

/// Removes `deepest` and the directories that lead to it, below `top`, as far as they are empty.
void remove_empty_directories(std::filesystem::path deepest, const std::filesystem::path& top);

/// Writes all bytes, whatever write(2) takes at a time.
[[nodiscard]] Result<> write_all(int fd, std::string_view bytes);

/// Lower-case hexadecimal of `bytes` random bytes from the kernel.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace berth
