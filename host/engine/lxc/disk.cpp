// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/disk.h"

#include "base/files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace berth::engine {
namespace fs = std::filesystem;

std::string disk_of(const std::string& device, const fs::path& sysfs) {
    std::error_code problem;
    const auto own = fs::canonical(sysfs / "dev/block" / device, problem);
    if (problem) return "";
    // The directory of a part lies in that of its disk.
    const bool part = fs::exists(own / "partition", problem);
    const auto number = read_file((part ? own.parent_path() : own) / "dev");
    return number ? number->substr(0, number->find('\n')) : "";
}

std::string disk_under(const fs::path& path, const fs::path& sysfs) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || major(status.st_dev) == 0) return "";
    return disk_of(fmt::format("{}:{}", major(status.st_dev), minor(status.st_dev)), sysfs);
}

}  // namespace berth::engine
