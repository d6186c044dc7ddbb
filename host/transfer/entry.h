// SPDX-License-Identifier: Apache-2.0
// One file, directory or link of a stream, as a value. Owners are as seen inside the container, and
// so is everything in the attributes that names an owner.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace berth::transfer {

/// `whiteout` is how an overlay says that what lies below is gone (a character device 0:0).
enum class Kind : std::uint8_t { file, directory, symbolic_link, hard_link, fifo, whiteout };

struct Extent {
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
};

struct Time {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
};

struct Entry {
    Kind kind = Kind::file;
    std::string path = {};  // relative, of plain names; "" is the top of a layer
    mode_t mode = 0;        // permissions, with set-user-id, set-group-id and sticky
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    Time modified = {};
    std::int64_t size = 0;             // of a file, holes included
    std::vector<Extent> extents = {};  // what is no hole, in order; only for writing
    std::string target = {};           // of a link; for a hard link as path is
    std::map<std::string, std::string> attributes = {};  // extended ones
};

/// As the kernel has it (PATH_MAX, less the final NUL).
inline constexpr std::size_t path_bytes_max = 4095;
inline constexpr std::size_t name_bytes_max = 255;

/// invalid_argument unless `path` has only plain names with '/' between them: no name is empty, "."
/// or "..", and none has a NUL.
[[nodiscard]] Result<> check_path(const std::string& path);

/// The directory that it lies in; "" for the top.
[[nodiscard]] std::string parent_of(const std::string& path);

}  // namespace berth::transfer
