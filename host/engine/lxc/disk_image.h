// SPDX-License-Identifier: Apache-2.0
// A disk of a container's own, so that what it writes has an end: an ext4 file system in a sparse
// file. It is made with room to spare and held to its limit by ext4's reserve of blocks, which the
// kernel gives to nobody: so a limit changes at once, both ways, and nothing is ever moved.
// Kernel interfaces: loop(4), and reserved_clusters of ext4 (Documentation/admin-guide/ext4.rst).
#pragma once

#include "host/engine/container_engine.h"

#include <filesystem>

namespace berth::engine {

class DiskImage {
public:
    /// Of the container that `directory` belongs to; there need be none.
    explicit DiskImage(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// Whether this machine can do all this; found out by doing it below `scratch`, which goes.
    [[nodiscard]] static bool works(const std::filesystem::path& scratch);

    [[nodiscard]] bool exists() const;
    /// Where it is mounted: what is written below this is limited.
    [[nodiscard]] std::filesystem::path path() const { return directory_ / "disk"; }

    /// Makes one for that limit, and for later ones up to four times that.
    [[nodiscard]] Result<> create(std::int64_t bytes) const;
    /// Mounts it; nothing to do when it is mounted or not there.
    [[nodiscard]] Result<> mount() const;
    /// Whether a mounted one takes no writes any more, as after the host's own disk was full;
    /// mounted anew, it does.
    [[nodiscard]] bool gave_up() const;
    /// Holds a mounted one to `bytes`, until it is unmounted. `busy` when more is used now,
    /// unsupported when it was made for less; both at /disk_bytes.
    [[nodiscard]] Result<> hold_to(std::int64_t bytes) const;
    /// Lets a mounted one take more than it is held to, until it is held again.
    [[nodiscard]] Result<> make_way() const;
    /// Holds a mounted one to what is used of it now.
    [[nodiscard]] Result<> fill() const;
    /// What is used of it; an estimate, from the file's own blocks, when it is not mounted.
    [[nodiscard]] Result<DiskUse> use() const;

private:
    [[nodiscard]] std::filesystem::path file() const { return directory_ / "disk.img"; }
    [[nodiscard]] bool mounted() const;
    [[nodiscard]] Result<> keep_back(std::int64_t blocks) const;
    std::filesystem::path directory_;
};

}  // namespace berth::engine
