// SPDX-License-Identifier: Apache-2.0
// The store as SQL text, for somebody who is to see what it holds and not what is secret in it.
#pragma once

#include "tools-schema/contract/result.h"

#include <filesystem>
#include <string>

namespace berth::store {

/// Statements that make the same store out of an empty file: its schema, of whatever version, all
/// rows as they were at one moment, and that version. Values of containers' variables are left out,
/// and what calls have answered. Changes nothing, and may run beside a berthd. not_found when there
/// is no store.
[[nodiscard]] Result<std::string> dump(const std::filesystem::path& path);

}  // namespace berth::store
