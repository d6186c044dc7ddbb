// SPDX-License-Identifier: Apache-2.0
// A unix socket's name in a directory whose path may be longer than a socket's address.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <string>

namespace berth {

/// Binds `socket` to `name`, of at most 64 bytes, in `directory`, by descriptor: a socket's address
/// has 107 bytes. The name must be free; it gets the mode.
[[nodiscard]] Result<> bind_in(const Fd& directory, const std::string& name, const Fd& socket,
                               mode_t mode);

}  // namespace berth
