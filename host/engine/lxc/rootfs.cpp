// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/rootfs.h"

#include "base/fault.h"
#include "base/files.h"
#include "base/rollback.h"
#include "host/engine/lxc/mounts.h"
#include "host/engine/lxc/shares.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

/// `path` as a detached mount in which the ids from `from` on, on disk, appear as those from `to`.
Result<Fd> id_mapped(const fs::path& path, std::int64_t from, std::int64_t to) {
    const IdMap map{{.on_disk = from, .seen = to, .count = ids_per_container}};
    const Fd ids = BERTH_TRY(user_namespace(map, map));
    Fd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree) return fail(failed(fmt::format("open the tree '{}'", path.string())));
    mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<__u64>(ids.get());
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) != 0)
        return fail(failed("map the ids of a layer"));
    return tree;
}

/// Names the layers by descriptor, so that the id-mapped trees need not stand anywhere
/// (Linux 6.13). No mount when the kernel is older: before 6.5 no overlay takes a descriptor
/// (EOPNOTSUPP), and later ones want the layers' paths (EINVAL).
Result<Fd> mount_by_descriptor(const std::vector<Fd>& lowers, const Fd& upper, const Fd& work) {
    const Fd overlay(::fsopen("overlay", FSOPEN_CLOEXEC));
    if (!overlay) return fail(failed("open the overlay file system"));
    for (const Fd& lower : lowers) {
        if (::fsconfig(overlay.get(), FSCONFIG_SET_FD, "lowerdir+", nullptr, lower.get()) == 0)
            continue;
        if (errno == EINVAL || errno == EOPNOTSUPP) return Fd();
        return fail(failed("set the overlay's lower layers"));
    }
    if (::fsconfig(overlay.get(), FSCONFIG_SET_FD, "upperdir", nullptr, upper.get()) != 0 ||
        ::fsconfig(overlay.get(), FSCONFIG_SET_FD, "workdir", nullptr, work.get()) != 0)
        return fail(failed("set the overlay's upper layer"));
    if (::fsconfig(overlay.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return fail(failed("make the overlay"));
    // Device nodes come from liblxc's own /dev; one in an image, or made by other means, is dead.
    Fd mounted(::fsmount(overlay.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV));
    if (!mounted) return fail(failed("mount the overlay"));
    return mounted;
}

std::string path_of(const Fd& descriptor) {
    return fmt::format("/proc/self/fd/{}", descriptor.get());
}

/// Names the layers by path, for which each id-mapped tree must stand somewhere for a moment. The
/// paths are short ones of descriptors, because all of them must fit into one page.
Result<> mount_by_path(const std::vector<Fd>& lowers, const Fd& upper, const Fd& work,
                       const fs::path& stands, const fs::path& target) {
    Rollback detach;  // kept in no case: the overlay holds clones of its own
    std::string layers;
    for (std::size_t index = 0; index < lowers.size(); ++index) {
        const fs::path stand = stands / std::to_string(index);
        BERTH_TRY(make_directories(stand));
        if (::move_mount(lowers[index].get(), "", AT_FDCWD, stand.c_str(),
                         MOVE_MOUNT_F_EMPTY_PATH) != 0)
            return fail(failed("attach a layer"));
        detach.on_failure([stand]() noexcept { (void)::umount2(stand.c_str(), MNT_DETACH); });
        layers += (layers.empty() ? "" : ":") + path_of(lowers[index]);
    }
    const std::string options =
        fmt::format("lowerdir={},upperdir={},workdir={}", layers, path_of(upper), path_of(work));
    if (::mount("overlay", target.c_str(), "overlay", MS_NODEV, options.c_str()) != 0)
        return fail(failed("mount the overlay"));
    return {};
}

/// A new root looks from inside as the topmost layer below it does: the mode of `/` is its own.
Result<> look_like(const fs::path& upper, const Layer& layer, std::int64_t uid_base) {
    struct stat status{};
    if (::lstat(layer.tree.c_str(), &status) != 0)
        return fail(failed(fmt::format("look at the layer '{}'", layer.tree.string())));
    const auto moved = [&layer, uid_base](std::int64_t id) {
        const auto inside = id - layer.uid_base;
        return static_cast<uid_t>(inside >= 0 && inside < ids_per_container ? uid_base + inside
                                                                            : uid_base);
    };
    if (::chown(upper.c_str(), moved(status.st_uid), moved(status.st_gid)) != 0 ||
        ::chmod(upper.c_str(), status.st_mode & 07777) != 0)
        return fail(failed("give the container its root directory"));
    return {};
}

/// The content of a small file with one line replaced; nothing when there is no such file or line.
std::optional<std::string> edited_file(const Fd& directory, const std::string& name,
                                       const SeedFile& file) {
    constexpr std::size_t edited_bytes_max = std::size_t{256} * 1024;
    const Fd in(
        ::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!in || ::fstat(in.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const auto text = read_file(path_of(in), edited_bytes_max);
    if (!text) return std::nullopt;
    const std::string all = "\n" + *text;
    const std::string line = fmt::format("\n{}\n", file.instead_of);
    const auto at = all.find(line);
    if (at == std::string::npos) return std::nullopt;
    return all.substr(1, at) + file.content + all.substr(at + line.size() - 1);
}

constexpr std::string_view upper_name = "upper", work_name = "work", stands_name = "lower";

fs::path named(const fs::path& directory, std::string_view kind, const Root& root) {
    return directory /
           (root.name.empty() ? std::string(kind) : fmt::format("{}-{}", kind, root.name));
}

}  // namespace

fs::path Rootfs::upper(const Root& root) const {
    return named(layers(), upper_name, root);
}

fs::path Rootfs::work(const Root& root) const {
    return named(layers(), work_name, root);
}

Result<> Rootfs::create(std::int64_t uid_base, const Root& root) const {
    BERTH_TRY(make_directories(directory_, 0711));
    BERTH_TRY(fault::at("engine.layers"));
    const auto owner = static_cast<uid_t>(uid_base);
    BERTH_TRY(make_directories(path()));
    for (const auto& layer : {upper(root), work(root)}) {
        BERTH_TRY(make_directories(layer));
        if (::chown(layer.c_str(), owner, owner) != 0)
            return fail(failed("give the container its layers"));
    }
    return root.layers.empty() ? Result<>() : look_like(upper(root), root.layers.front(), uid_base);
}

bool Rootfs::mounted() const {
    return is_mount_point(AT_FDCWD, path().c_str());
}

Result<> Rootfs::mount(const fs::path& base, std::int64_t uid_base, const Root& root) const {
    if (mounted()) return {};
    BERTH_TRY(fault::at("engine.mount"));
    if (root.layers.size() > layers_max)
        return fail(ErrorCode::unsupported,
                    fmt::format("a root has at most {} layers", layers_max));
    std::vector<Fd> lowers;
    for (const Layer& layer : root.layers)
        lowers.push_back(BERTH_TRY(id_mapped(layer.tree, layer.uid_base, uid_base)));
    lowers.push_back(BERTH_TRY(id_mapped(base, 0, uid_base)));
    const Fd upper_layer = BERTH_TRY(open_directory(upper(root)));
    const Fd work_layer = BERTH_TRY(open_directory(work(root)));
    if (layering_ == Layering::best) {
        if (const Fd mounted = BERTH_TRY(mount_by_descriptor(lowers, upper_layer, work_layer))) {
            BERTH_TRY(fault::at("engine.mount.attach"));
            if (::move_mount(mounted.get(), "", AT_FDCWD, path().c_str(),
                             MOVE_MOUNT_F_EMPTY_PATH) != 0)
                return fail(failed("mount the overlay"));
            return {};
        }
    }
    BERTH_TRY(unmount());  // the layers that a killed berthd had attached
    return mount_by_path(lowers, upper_layer, work_layer, directory_ / stands_name, path());
}

Result<> Rootfs::seed(const SeedFile& file, std::int64_t uid_base) const {
    BERTH_TRY(fault::at("engine.seed"));
    const fs::path relative(file.path);
    const bool makes = !file.absent && file.instead_of.empty();
    const Fd directory = BERTH_TRY(walk(path(), relative.parent_path().string(), uid_base, makes));
    if (!directory) return {};
    const std::string name = relative.filename();
    const std::string doing = fmt::format("write '/{}' in the container", file.path);
    std::string content = file.content;
    if (!file.instead_of.empty()) {
        const auto edited = edited_file(directory, name, file);
        if (!edited) return {};
        content = *edited;
    }
    if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
        if (file.absent && errno == EISDIR) return {};  // no such file, whatever it is
        return fail(failed(doing));
    }
    if (file.absent) return {};
    const Fd out(::openat(directory.get(), name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file.mode));
    if (!out) return fail(failed(doing));
    BERTH_TRY(write_all(out.get(), content));
    const auto owner = static_cast<uid_t>(uid_base);
    // The owner first, because a change of owner takes set-user-id bits away.
    if (::fchown(out.get(), owner, owner) != 0 || ::fchmod(out.get(), file.mode) != 0)
        return fail(failed(doing));
    return {};
}

Result<> Rootfs::seed_again(const SeedFile& file, std::int64_t uid_base) const {
    const fs::path relative(file.path);
    const Fd directory = BERTH_TRY(walk(path(), relative.parent_path().string(), uid_base, false));
    const Fd out(directory ? ::openat(directory.get(), relative.filename().c_str(),
                                      O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                           : -1);
    struct stat status{};
    const bool as_seeded = out && ::fstat(out.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                           status.st_nlink == 1 && status.st_uid == uid_base &&
                           (status.st_mode & 07777) == file.mode;
    if (!as_seeded) return seed(file, uid_base);
    BERTH_TRY(fault::at("engine.seed"));
    BERTH_TRY(write_all(out.get(), file.content));
    if (::ftruncate(out.get(), static_cast<off_t>(file.content.size())) != 0)
        return fail(failed(fmt::format("write '/{}' in the container", file.path)));
    return {};
}

Result<> Rootfs::expose(const fs::path& host_directory, std::string_view inside,
                        std::int64_t uid_base) const {
    const Fd target = BERTH_TRY(walk(path(), inside, uid_base));
    if (is_mount_point(target.get(), "")) return {};
    BERTH_TRY(fault::at("engine.share"));
    const Fd tree(::open_tree(AT_FDCWD, host_directory.c_str(),
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    if (!tree) return fail(failed(fmt::format("open '{}'", host_directory.string())));
    mount_attr attributes{};
    attributes.attr_set =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
                        sizeof(attributes)) != 0)
        return fail(failed("make a share read-only"));
    if (::move_mount(tree.get(), "", target.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return fail(failed(fmt::format("show '/{}' in the container", inside)));
    return {};
}

Result<> Rootfs::share(const Share& share, std::int64_t uid_base) const {
    const Fd tree = BERTH_TRY(open_share(share, uid_base));
    // What a container finds at a path it made may have been moved since, so that the mount cannot
    // be found by that path later: the mark says that the root has to go with it.
    BERTH_TRY(write_file_atomically(share_mark(), "", {.durable = false}));
    auto walked = walk(path(), share.inside, uid_base);
    if (!walked)
        return fail(std::move(walked).error().next(
            "choose another path, or take the share away with container_update: remove_shares"));
    const Fd target = *std::move(walked);
    BERTH_TRY(fault::at("engine.shares"));
    if (::move_mount(tree.get(), "", target.get(), "",
                     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
        return fail(failed(fmt::format("show '/{}' in the container", share.inside)));
    return {};
}

Result<std::vector<RunMount>> Rootfs::equip(const DriverFiles& files, std::int64_t uid_base) const {
    if (files == DriverFiles{}) return std::vector<RunMount>{};
    BERTH_TRY(fault::at("engine.equip"));
    BERTH_TRY(write_file_atomically(share_mark(), "", {.durable = false}));
    BERTH_TRY(place_driver_files(files, path(), directory_ / stands_name, uid_base));
    return run_mounts(files, directory_ / stands_name);
}

Result<> Rootfs::unshare() const {
    if (::access(share_mark().c_str(), F_OK) != 0) return {};
    BERTH_TRY(unmount());
    (void)::unlink(share_mark().c_str());
    return {};
}

Result<> Rootfs::unmount() const {
    std::vector<fs::path> points{path()};
    std::error_code none;
    for (const auto& stand : fs::directory_iterator(directory_ / stands_name, none))
        points.push_back(stand.path());
    for (const auto& point : points) BERTH_TRY(unmount_all(point));
    return {};
}

Result<> Rootfs::detach() const {
    BERTH_TRY(unmount());
    return unmount_all(disk_.path());
}

Result<> Rootfs::keep(const Root& root) const {
    std::vector<fs::path> others;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(layers(), none)) {
        const std::string name = entry.path().filename();
        const bool layer = name == upper_name || name == work_name ||
                           name.starts_with(fmt::format("{}-", upper_name)) ||
                           name.starts_with(fmt::format("{}-", work_name));
        if (layer && entry.path() != upper(root) && entry.path() != work(root))
            others.push_back(entry.path());
    }
    for (const auto& other : others) BERTH_TRY(remove_tree(other));
    return {};
}

Result<> Rootfs::destroy() const {
    BERTH_TRY(fault::at("engine.unmount"));
    BERTH_TRY(detach());
    (void)disk_.make_way();  // the file system keeps a limit when nothing is left that has it
    BERTH_TRY(fault::at("engine.remove_files"));
    return remove_tree(directory_);
}

}  // namespace berth::engine
