// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/own_disk.h"

namespace berth::engine {

DiskBy OwnDisk::best(const std::filesystem::path& scratch) {
    if (DiskQuota::works(scratch)) return DiskBy::project_quota;
    return DiskImage::works(scratch) ? DiskBy::image : DiskBy::none;
}

DiskBy OwnDisk::by() const {
    if (image_.exists()) return DiskBy::image;
    return quota_.exists() ? DiskBy::project_quota : DiskBy::none;
}

Result<> OwnDisk::create(std::int64_t bytes, std::uint32_t project, DiskBy by) const {
    return by == DiskBy::project_quota ? quota_.create(bytes, project) : image_.create(bytes);
}

Result<> OwnDisk::hold_to(std::int64_t bytes) const {
    return has_quota() ? quota_.hold_to(bytes) : image_.hold_to(bytes);
}

Result<> OwnDisk::make_way() const {
    return has_quota() ? quota_.make_way() : image_.make_way();
}

Result<> OwnDisk::fill() const {
    return has_quota() ? quota_.fill() : image_.fill();
}

Result<DiskUse> OwnDisk::use() const {
    return has_quota() ? quota_.use() : image_.use();
}

}  // namespace berth::engine
