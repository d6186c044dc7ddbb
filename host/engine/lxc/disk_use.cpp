// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/disk_use.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace berth::engine {
namespace {

constexpr int depth_max = 512;  // of directories, each of which is a descriptor while it is read

class Counter {
public:
    explicit Counter(std::chrono::milliseconds time_max)
        : deadline_(std::chrono::steady_clock::now() + time_max) {}

    void count(int parent, const char* name, int depth) {
        struct stat status{};
        if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            use_.exact = false;  // it went away while we looked
            return;
        }
        if (!device_) device_ = status.st_dev;
        if (status.st_dev != *device_) return;
        const bool several = !S_ISDIR(status.st_mode) && status.st_nlink > 1;
        if (several && !seen_.insert(status.st_ino).second) return;
        use_.bytes += status.st_blocks * stat_block_bytes;
        if (S_ISDIR(status.st_mode)) enter(parent, name, depth);
    }
    [[nodiscard]] DiskUse use() const { return use_; }

private:
    void enter(int parent, const char* name, int depth) {
        Fd directory(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory || depth >= depth_max || std::chrono::steady_clock::now() > deadline_) {
            use_.exact = false;
            return;
        }
        struct Close {
            void operator()(DIR* open) const noexcept { (void)::closedir(open); }
        };
        const std::unique_ptr<DIR, Close> entries(::fdopendir(directory.release()));
        while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr) {
            const std::string_view is(entry->d_name);
            if (is != "." && is != "..") count(::dirfd(entries.get()), entry->d_name, depth + 1);
        }
    }

    const std::chrono::steady_clock::time_point deadline_;
    std::optional<dev_t> device_;
    std::set<ino_t> seen_;
    DiskUse use_;
};

}  // namespace

DiskUse disk_use(const std::filesystem::path& tree, std::chrono::milliseconds time_max) {
    Counter counter(time_max);
    counter.count(AT_FDCWD, tree.c_str(), 0);
    return counter.use();
}

Error used_now(std::int64_t bytes) {
    return make_error(ErrorCode::busy,
                      fmt::format("the container's files take {} bytes now", bytes))
        .at("/disk_bytes")
        .next("remove files in it first, or ask for more");
}

}  // namespace berth::engine
