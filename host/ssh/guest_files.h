// SPDX-License-Identifier: Apache-2.0
// The files that a container sees read-only at /usr/lib/berth: what its SSH service is made of.
// They belong to the host, so nothing inside can change who may log in or which key is shown.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace berth::ssh {

/// The command that serves one login, on its standard input and output.
[[nodiscard]] std::vector<std::string> login_command();

/// Makes the directory with the private host key, owned by the container's root so that sshd takes
/// it for its own.
[[nodiscard]] Result<> write_service_files(const std::filesystem::path& directory,
                                           std::string_view private_host_key,
                                           std::int64_t uid_base);
/// Returns when the disk has them. The host key is nowhere else; sshd's configuration and the list
/// of keys are written anew at every start.
[[nodiscard]] Result<> keep_service_files(const std::filesystem::path& directory);

/// Writes sshd's configuration: every login from now on gets these variables ("NAME=value", of one
/// line each), and of two with one name the later.
[[nodiscard]] Result<> write_sshd_config(const std::filesystem::path& directory,
                                         const std::vector<std::string>& environment,
                                         std::int64_t uid_base);

/// Keeps the variables that the container's devices need, in the same form.
[[nodiscard]] Result<> write_environment(const std::filesystem::path& directory,
                                         const std::vector<std::string>& environment,
                                         std::int64_t uid_base);
/// Those of the last write_environment(); none when there was none.
[[nodiscard]] std::vector<std::string> read_environment(const std::filesystem::path& directory);

/// Replaces the list of keys that may log in.
[[nodiscard]] Result<> write_authorized_keys(const std::filesystem::path& directory,
                                             const std::vector<std::string>& public_keys,
                                             std::int64_t uid_base);

}  // namespace berth::ssh
