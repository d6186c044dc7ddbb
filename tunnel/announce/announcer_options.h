// SPDX-License-Identifier: Apache-2.0
// What people write about a primary, made into what an announcer takes.
#pragma once

#include "tunnel/announce/announcer.h"

#include <string>

namespace berth::tunnel {

/// Reads where the sentinel's control plane is (https://HOST:PORT, or http on this machine), checks
/// all options together, and fills in the generation. invalid_argument names the option ("/port").
[[nodiscard]] Result<> complete(const std::string& sentinel, AnnouncerOptions& options);

}  // namespace berth::tunnel
