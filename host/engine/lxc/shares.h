// SPDX-License-Identifier: Apache-2.0
// Directories of the host in a container. Everything about them is fixed by the host before the
// container starts, in mounts of the host's own, so that root inside can undo none of it.
#pragma once

#include "base/fd.h"
#include "host/engine/container_engine.h"
#include "host/engine/lxc/mounts.h"

#include <sys/types.h>

#include <cstdint>

namespace berth::engine {

/// Who owns a directory that is shared, and whether everybody may write to it.
struct ShareOwner {
    uid_t user = 0;
    gid_t group = 0;
    bool open_to_all = false;
};

/// The ids of a share for the container whose ids begin at `uid_base`. What the container writes
/// is its own on disk, so that it can leave no file of the host's users there; but the directory's
/// owner is the same id inside and outside. Empty when `owner` is no ordinary id: then all ids stay
/// what they are.
[[nodiscard]] IdMap ids_of_share(std::int64_t owner, std::int64_t uid_base);

/// invalid_argument at /host_path when nobody inside could write there.
[[nodiscard]] Result<> check_writable(const ShareOwner& owner, std::int64_t uid_base);

/// The share as a detached mount with all that is mounted below it: without devices and
/// set-user-id programs, apart from what the host mounts there later, and read-only unless it is
/// writable. Its path is followed through no symbolic link below the directory that was allowed.
/// not_found, invalid_argument, unsupported at /host_path.
[[nodiscard]] Result<Fd> open_share(const Share& share, std::int64_t uid_base);

}  // namespace berth::engine
