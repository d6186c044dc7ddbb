// SPDX-License-Identifier: Apache-2.0
// Builds the Debian base image with mmdebstrap from the mirror that the host itself is set up with.
#pragma once

#include "base/clock.h"
#include "host/image/image_store.h"

#include <functional>
#include <string_view>

namespace berth::image {

/// Debian 12 with systemd as init, OpenSSH's server installed but started by nothing, and no host
/// keys, machine id or resolv.conf of its own. mmdebstrap's progress goes to standard error.
/// unavailable when mmdebstrap is missing or fails; what it left is removed.
[[nodiscard]] Result<Image> build_debian(const ImageStore& store, const ImageName& name,
                                         const Clock& clock);

}  // namespace berth::image
