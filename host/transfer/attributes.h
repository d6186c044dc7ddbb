// SPDX-License-Identifier: Apache-2.0
// Extended attributes between a layer on disk, where owners are those of one container's range, and
// a stream, where they are as seen inside. Two kinds name owners: capabilities and access lists.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::transfer {

/// An owner on disk as seen inside: whoever is outside of the range is nobody.
[[nodiscard]] std::int64_t inside_id(std::int64_t id, std::int64_t uid_base);

/// As it goes into a stream; nothing for what belongs to the mount or to the host and not to the
/// files. unsupported for what would make the layer mean something else.
[[nodiscard]] Result<std::optional<std::string>> inside_attribute(std::string_view name,
                                                                  const std::string& value,
                                                                  std::int64_t uid_base);

/// As it goes onto the disk. invalid_argument for one that inside_attribute() never gives.
[[nodiscard]] Result<std::string> outside_attribute(std::string_view name, const std::string& value,
                                                    std::int64_t uid_base);

}  // namespace berth::transfer
