// SPDX-License-Identifier: Apache-2.0
// A container's root: an overlay whose lower layer is the image's tree seen through an id-mapped
// mount, so that one tree on disk serves every uid range and a create copies nothing.
// Kernel interfaces: mount_setattr(2), fsopen(2), move_mount(2), openat2(2).
#pragma once

#include "host/engine/container_engine.h"
#include "host/engine/lxc/driver_files.h"
#include "host/engine/lxc/own_disk.h"

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace berth::engine {

/// How the kernel is told of an overlay's layers: by descriptor where it can (Linux 6.13), or by
/// path.
enum class Layering : std::uint8_t { best, by_path };

class Rootfs {
public:
    /// `directory` holds the layers and the mount point of one container.
    explicit Rootfs(std::filesystem::path directory, Layering layering = Layering::best)
        : directory_(std::move(directory)), disk_(directory_), layering_(layering) {}

    /// The container's own disk, if it has one: its layers then lie on that, and it is mounted
    /// before anything is done with them.
    [[nodiscard]] const OwnDisk& disk() const { return disk_; }
    /// Makes the empty layers, owned by `uid_base`, which is the container's root.
    [[nodiscard]] Result<> create(std::int64_t uid_base, const Root& root = {}) const;
    /// Mounts the overlay over `base`, with the layers of `root` between; nothing to do when it is
    /// mounted already.
    [[nodiscard]] Result<> mount(const std::filesystem::path& base, std::int64_t uid_base,
                                 const Root& root = {}) const;
    [[nodiscard]] bool mounted() const;
    /// Unmounts everything but the container's own disk. Can be repeated.
    [[nodiscard]] Result<> unmount() const;
    /// Unmounts everything. Can be repeated.
    [[nodiscard]] Result<> detach() const;
    /// Removes what other roots than `root` have been made of. Can be repeated.
    [[nodiscard]] Result<> keep(const Root& root) const;
    /// Writes, edits or removes a file of a fresh, mounted root.
    [[nodiscard]] Result<> seed(const SeedFile& file, std::int64_t uid_base) const;
    /// The same for a file that was seeded before: when it is as that left it, it is overwritten,
    /// which takes a fifth of the time of making it anew, and less where the disk is busy.
    [[nodiscard]] Result<> seed_again(const SeedFile& file, std::int64_t uid_base) const;
    /// Shows a directory of the host inside, read-only in a way that root inside cannot undo. The
    /// path inside is resolved without following any symbolic link, because the container may have
    /// put one there: that is refused as `busy`, naming the path.
    [[nodiscard]] Result<> expose(const std::filesystem::path& host_directory,
                                  std::string_view inside, std::int64_t uid_base) const;
    /// Shows a directory of the host inside, at a path that is resolved as that of expose().
    [[nodiscard]] Result<> share(const Share& share, std::int64_t uid_base) const;
    /// Puts in what devices need, as place_driver_files() does, and tells what waits for /run.
    [[nodiscard]] Result<std::vector<RunMount>> equip(const DriverFiles& files,
                                                      std::int64_t uid_base) const;
    /// Takes shares and drivers' files away again, and with them the whole root. Can be repeated.
    [[nodiscard]] Result<> unshare() const;
    /// Unmounts everything and removes the whole directory. Can be repeated.
    [[nodiscard]] Result<> destroy() const;

    [[nodiscard]] std::filesystem::path path() const { return directory_ / "rootfs"; }
    /// The layer that takes what the container changes.
    [[nodiscard]] std::filesystem::path upper(const Root& root) const;

private:
    [[nodiscard]] std::filesystem::path work(const Root& root) const;
    /// A file that is there while shares may be.
    [[nodiscard]] std::filesystem::path share_mark() const { return directory_ / "shared"; }
    /// Where the layers lie.
    [[nodiscard]] std::filesystem::path layers() const {
        return disk_.exists() ? disk_.path() : directory_;
    }
    std::filesystem::path directory_;
    OwnDisk disk_;
    Layering layering_;
};

}  // namespace berth::engine
