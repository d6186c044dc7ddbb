// SPDX-License-Identifier: Apache-2.0
// A host's token, which is in a file so that nobody sees it among arguments.
#pragma once

#include "tools-schema/contract/result.h"

#include <filesystem>
#include <string>

namespace berth::tunnel {

/// The first line of the file; "" for no file.
[[nodiscard]] Result<std::string> read_token(const std::filesystem::path& file);

}  // namespace berth::tunnel
