// SPDX-License-Identifier: Apache-2.0
// Files of /proc and /sys that show a container's own limits and not the host's, put over the
// kernel's in a running container. Root inside can take them away again, and then sees the
// kernel's.
#pragma once

#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <filesystem>

namespace berth::engine {

/// Shows what lies in `provider`, a directory as lxcfs(8) mounts it, in the container of that init,
/// in place of what was shown before; with "", nothing but the kernel's own. What the provider does
/// not have, or the container has something else in place of, is left as it is.
[[nodiscard]] Result<> show_views(pid_t init, const std::filesystem::path& provider);

}  // namespace berth::engine
