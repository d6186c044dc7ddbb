// SPDX-License-Identifier: Apache-2.0
// The variables that a container gives to every command and every login.
#pragma once

#include "host/store/containers.h"
#include "tools-schema/contract/result.h"

#include <cstddef>

namespace berth::container {

inline constexpr std::size_t variables_per_container_max = 256;  // as many as one command is given
/// All of them together: container_get shows them, and is bounded as every answer is.
inline constexpr std::size_t environment_bytes_max = std::size_t{16} * 1024;

/// Fails at /env for too many or too long ones, and at /env/INDEX for a name that is there twice
/// and a value of more than one line. No error has a value in it.
[[nodiscard]] Result<> check_environment(const store::Environment& environment);

}  // namespace berth::container
