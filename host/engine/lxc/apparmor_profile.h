// SPDX-License-Identifier: Apache-2.0
// The AppArmor profile of all containers: a second wall behind user namespaces, for the day on
// which a kernel bug makes root inside the host's.
#pragma once

#include "tools-schema/contract/result.h"

#include <filesystem>
#include <string>

namespace berth::engine {

inline constexpr const char* apparmor_profile_name = "berth-container";

/// The profile's source, in the language of apparmor.d(5).
[[nodiscard]] std::string apparmor_profile();

/// Has the kernel take the profile, in place of one of that name; containers that run have the new
/// one at once. `directory` is where its source is kept. unsupported when the kernel has no
/// AppArmor or does not enforce it here, not_found when the compiler (apparmor_parser) is missing.
[[nodiscard]] Result<> load_apparmor_profile(const std::filesystem::path& directory);

}  // namespace berth::engine
