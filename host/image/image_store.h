// SPDX-License-Identifier: Apache-2.0
// Images by content: <root>/sha256-<digest>/{rootfs,manifest.json}, and <root>/names/<name>, a
// symbolic link to one of them. A link is put in place last and by rename, so an image is whole or
// not there.
#pragma once

#include "tools-schema/contract/names.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace berth::image {

struct Image {
    std::string name;
    std::string digest;      // "sha256:<64 hexadecimal digits>" of the canonical tar
    std::string created_at;  // RFC 3339
    std::filesystem::path rootfs;
};

class ImageStore {
public:
    explicit ImageStore(std::filesystem::path root) : root_(std::move(root)) {}

    /// not_found with field "/image" and a hint that names the images there are, or how to build
    /// one.
    [[nodiscard]] Result<Image> find(const ImageName& name) const;
    /// The image with that digest ("sha256:…"), with no name; not_found when it is gone.
    [[nodiscard]] Result<Image> find_digest(std::string_view digest) const;
    [[nodiscard]] Result<std::vector<Image>> list() const;  // by name

    /// Unpacks a root file system from a tar file, and names it. The digest is the tar's. An image
    /// with that digest that is already there is kept and only named.
    [[nodiscard]] Result<Image> import_tar(const std::filesystem::path& tar, const ImageName& name,
                                           std::string created_at) const;

    [[nodiscard]] const std::filesystem::path& root() const { return root_; }

private:
    std::filesystem::path root_;
};

/// Removes what an interrupted import left behind. Only when no import is running.
[[nodiscard]] Result<> remove_leftovers(const ImageStore& store);

}  // namespace berth::image
