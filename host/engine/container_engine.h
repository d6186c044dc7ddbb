// SPDX-License-Identifier: Apache-2.0
// What berth needs of whatever runs containers on this machine. Everything is addressed by
// container id, every call may be made from any thread (calls for one id one at a time), and every
// undoing call may be repeated.
#pragma once

#include "base/fd.h"
#include "host/engine/holds.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace berth::engine {

/// 65,536 uids and as many gids of the host belong to one container.
inline constexpr std::int64_t ids_per_container = 65536;

/// A container's network card, on the host's bridge.
struct NetworkCard {
    std::string bridge;
    std::string mac;  // derived from the address, so that no neighbour cache is ever stale
    std::string ipv4;
    int prefix_length = 0;
    std::string gateway;
};

/// What a container may use at most. From disk_bytes on, 0 is no limit of that kind.
struct Limits {
    std::int64_t memory_bytes = 0;
    std::int64_t cpu_percent = 0;  // 100 is one CPU
    std::int64_t processes = 0;
    std::int64_t swap_bytes = 0;           // beside the memory; 0: none at all
    std::int64_t disk_bytes = 0;           // that the files it has changed take
    std::int64_t io_bytes_per_second = 0;  // read from the disk, and as much written
    std::int64_t io_operations_per_second = 0;
    std::int64_t receive_bytes_per_second = 0;  // of its network card
    std::int64_t send_bytes_per_second = 0;

    [[nodiscard]] bool operator==(const Limits&) const = default;
};

struct DiskUse {
    std::int64_t bytes = 0;
    bool exact = true;  // false for an estimate
};

/// How long, in microseconds, some process has waited for each of these (PSI).
struct Pressure {
    std::int64_t cpu_us = 0;
    std::int64_t memory_us = 0;
    std::int64_t io_us = 0;
};

/// Of one that runs, since it was started.
struct RunningUse {
    std::int64_t memory_bytes = 0;  // with what the kernel caches for it
    std::int64_t cpu_ms = 0;
    std::int64_t processes = 0;
    std::int64_t received_bytes = 0;
    std::int64_t sent_bytes = 0;
    std::int64_t oom_kills = 0;  // processes that were killed for want of memory
    // Where the kernel counts that:
    std::optional<std::int64_t> disk_read_bytes = {};
    std::optional<std::int64_t> disk_written_bytes = {};
    std::optional<Pressure> pressure = {};
};

/// What keeps a container's files to disk_bytes.
enum class DiskBy : std::uint8_t { none, image, project_quota };

/// What a container uses; of one that is stopped, of its disk alone.
struct Usage {
    DiskUse disk;
    DiskBy disk_by = DiskBy::none;
    std::optional<RunningUse> running = {};
};

/// A file put into a fresh container before its first start, owned by its root.
struct SeedFile {
    std::string path;  // relative to the root, for example "etc/hostname"
    std::string content;
    mode_t mode = 0644;
    std::string instead_of =
        {};               // when set, only this line is replaced, and nothing if it is not there
    bool absent = false;  // when set, nothing is to be there
};

/// Files that a container had at some moment, frozen since: they lie under what it changes.
struct Layer {
    std::filesystem::path tree;
    std::int64_t uid_base = 0;  // of the container that they were taken from
};

/// What a container's root is made of, besides its image.
struct Root {
    std::string name = {};           // of the layer that it changes; a new root gets a new one
    std::vector<Layer> layers = {};  // the topmost first
};

/// An overlay takes 500; each costs a look at every first use of a file.
inline constexpr std::size_t layers_max = 64;

/// A directory of the host that is seen in a container.
struct Share {
    std::filesystem::path allowed;  // by its real path: the directory that the operator allows
    std::string below = {};         // the way from there; "": all of it
    std::string inside = {};        // relative to the container's root, as "srv/data"
    bool writable = false;
};

/// A device of the host in a container, by the numbers that the kernel has given it now.
struct Device {
    std::string path;  // inside: "/dev/nvidia0"
    char type = 'c';   // or 'b'
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::string access = "rw";  // of r, w and m
    mode_t mode = 0666;
    uid_t uid = 0;  // owner and group inside
    gid_t gid = 0;

    [[nodiscard]] bool operator==(const Device&) const = default;
};

/// A file, directory or socket of the host that a device's driver needs inside.
struct DriverMount {
    std::filesystem::path host_path;
    std::string inside;  // "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"
    bool writable = false;
    bool executable = true;
    bool recursive = false;  // with what is mounted below it

    [[nodiscard]] bool operator==(const DriverMount&) const = default;
};

struct DriverLink {
    std::string path;  // inside
    std::string target;

    [[nodiscard]] bool operator==(const DriverLink&) const = default;
};

struct DriverMode {
    std::string path;  // inside
    mode_t mode = 0;

    [[nodiscard]] bool operator==(const DriverMode&) const = default;
};

/// What a device needs besides its nodes, put into a root at each start.
struct DriverFiles {
    std::vector<DriverMount> mounts = {};
    std::vector<DriverLink> links = {};
    std::vector<DriverMode> modes = {};
    std::vector<std::string> library_folders = {};  // for the dynamic linker

    [[nodiscard]] bool operator==(const DriverFiles&) const = default;
};

struct CopyBounds {
    std::stop_token cancelled = {};
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct Copied {
    std::int64_t bytes = 0;  // on the disk
    std::int64_t entries = 0;
    bool exact = true;  // false when blocks are shared with the original
};

struct Spec {
    std::string id;
    std::string hostname;
    std::filesystem::path base;  // the image's root file system, never written to
    std::int64_t uid_base = 0;
    Limits limits;
    NetworkCard network;
    std::filesystem::path
        host_files;  // a directory of the host that is seen read-only at guest_files
    std::filesystem::path device_files = {};  // the same at guest_devices; "": nothing is
    Root root = {};
    bool no_new_privileges = false;             // set-user-id programs give nothing (prctl(2))
    bool nesting = false;                       // user namespaces inside may have /proc and /sys
    std::vector<Device> devices = {};           // beside the usual ones
    std::vector<std::string> environment = {};  // of its init: "NAME=value"
    std::vector<Share> shares = {};             // none lies in another
    DriverFiles driver = {};                    // of `devices`
};

/// How a container's init ended by itself. `unknown` when nobody can tell any more.
enum class Ending : std::uint8_t { clean, failed, rebooted, unknown };

/// Where Spec::host_files is seen inside a container.
inline constexpr std::string_view guest_files = "usr/lib/berth";
/// Where Spec::device_files is.
inline constexpr std::string_view guest_devices = "dev/berth";

class ContainerEngine {
public:
    ContainerEngine() = default;
    ContainerEngine(const ContainerEngine&) = delete;
    ContainerEngine& operator=(const ContainerEngine&) = delete;
    virtual ~ContainerEngine() = default;

    /// "lxc 5.0.2"
    [[nodiscard]] virtual std::string version() const = 0;

    /// Makes the container's own files: an empty layer over the base, and the seeds in it.
    [[nodiscard]] virtual Result<> create(const Spec& spec, const std::vector<SeedFile>& seeds) = 0;
    /// Mounts what create() made, and starts the container with all that spec says in its place.
    /// Returns when it runs what is injected; its init may wait for begin().
    [[nodiscard]] virtual Result<> start(const Spec& spec) = 0;
    /// Lets init begin, if it has not; so do stop() and the end of this program. For an id that
    /// does not run, or whose start() has not returned, it does nothing: somebody means the start
    /// before.
    virtual void begin(std::string_view id) = 0;
    /// Asks init to shut down, and after `timeout_seconds` kills everything inside.
    [[nodiscard]] virtual Result<> stop(std::string_view id, int timeout_seconds) = 0;
    /// Kills everything inside, at once; what else there is of it is for destroy() to remove.
    [[nodiscard]] virtual Result<> kill(std::string_view id) = 0;
    /// Ends and removes everything there is of that id: processes, mounts, control groups, files.
    /// For an id of which nothing is left it does nothing.
    [[nodiscard]] virtual Result<> destroy(std::string_view id) = 0;

    /// Copies what the container has changed of its root to `to`, which must not exist. Nothing
    /// inside may run meanwhile.
    [[nodiscard]] virtual Result<Copied> copy_changes(const Spec& spec,
                                                      const std::filesystem::path& to,
                                                      const CopyBounds& bounds) = 0;
    /// Makes spec.root, a new and unchanged one, for a stopped container. It is used from the next
    /// start() with that spec on; until then the one before is still there.
    [[nodiscard]] virtual Result<> prepare_root(const Spec& spec) = 0;
    /// Removes every root of that container but spec.root.
    [[nodiscard]] virtual Result<> keep_root(const Spec& spec) = 0;

    [[nodiscard]] virtual bool running(std::string_view id) = 0;
    /// Whether its root is mounted: from create() or start() on, over every stop and end, until the
    /// host goes down.
    [[nodiscard]] virtual bool mounted(std::string_view id) = 0;
    /// Readable when the init that runs now has ended; unavailable when none runs.
    [[nodiscard]] virtual Result<Fd> watch(std::string_view id) = 0;
    /// How the init of that watch(), which has become readable, has ended.
    [[nodiscard]] virtual Ending ending(std::string_view id, const Fd& watch) = 0;

    /// unsupported, at the limit's field, when this machine has no means to keep one of them.
    [[nodiscard]] virtual Result<> check(const Limits& limits) const = 0;
    /// Whether start() could show that directory to the container whose ids begin at `uid_base`:
    /// not_found, invalid_argument or unsupported, at /host_path, when not.
    [[nodiscard]] virtual Result<> check_share(const Share& share, std::int64_t uid_base) const = 0;
    /// Puts limits on a container that has those of `from`, on a running one at once: all, or on
    /// an error none. `busy` when it uses more now. From no limits at all, each is set anew.
    [[nodiscard]] virtual Result<> limit(std::string_view id, const Limits& from,
                                         const Limits& to) = 0;

    /// Gives a running container a device, or takes one away; both can be repeated. Whatever has it
    /// open keeps it open, so that to take it is `busy` while a process inside has.
    [[nodiscard]] virtual Result<> add_device(const Spec& spec, const Device& device) = 0;
    [[nodiscard]] virtual Result<> remove_device(const Spec& spec, const Device& device) = 0;
    /// Has a running container have exactly spec.devices, whatever it has open of others: for
    /// numbers that the kernel has given to something else since.
    [[nodiscard]] virtual Result<> renew_devices(const Spec& spec) = 0;
    /// Gives a running container that nobody has used yet spec.hostname, and these files.
    [[nodiscard]] virtual Result<> rename(const Spec& spec, const std::vector<SeedFile>& seeds) = 0;

    /// What it uses now; files are counted for a bounded time.
    [[nodiscard]] virtual Result<Usage> usage(const Spec& spec) = 0;

    /// The part of usage() that takes no time: nothing of one that does not run.
    [[nodiscard]] virtual std::optional<RunningUse> running_use(std::string_view id) = 0;
    /// What is used of its own disk; nothing of one that has none.
    [[nodiscard]] virtual std::optional<DiskUse> own_disk_use(std::string_view id) = 0;

    /// Halts every process of a running container where it is, or lets them go on; of one that does
    /// not run there is nothing to let go. Both can be repeated; stop() and destroy() let go by
    /// themselves.
    [[nodiscard]] virtual Result<> freeze(std::string_view id) = 0;
    [[nodiscard]] virtual Result<> thaw(std::string_view id) = 0;
    [[nodiscard]] virtual bool frozen(std::string_view id) = 0;
    /// Halts them as freeze() does, while files are copied, and is ended by thaw(): frozen() does
    /// not tell of it, holds() does.
    [[nodiscard]] virtual Result<> hold_still(std::string_view id) = 0;
    [[nodiscard]] Holds& holds() { return holds_; }

    /// The host's pid of the container's init; unavailable when it is not running.
    [[nodiscard]] virtual Result<pid_t> init_pid(std::string_view id) = 0;
    /// Every id of which this engine finds something on the machine, running or not. Clears what no
    /// process is in any more, so nothing may be starting meanwhile.
    [[nodiscard]] virtual Result<std::vector<std::string>> leftovers() = 0;

    /// Runs `program` (a static binary of the host) as root inside, under the container's own
    /// limits, filters and capabilities, with `connection` as its descriptor 3.
    [[nodiscard]] virtual Result<> inject(std::string_view id, const Fd& program,
                                          const Fd& connection) = 0;

private:
    Holds holds_;
};

}  // namespace berth::engine
