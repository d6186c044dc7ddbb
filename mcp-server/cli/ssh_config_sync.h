// SPDX-License-Identifier: Apache-2.0
// Writes what ssh_config answers to the files of an OpenSSH client.
#pragma once

#include "mcp-server/cli/command_line.h"
#include "tools-schema/registry/invoker.h"

namespace berth::cli {

/// Calls ssh_config and writes berth_config and berth_known_hosts, each in one step, so that an ssh
/// that starts meanwhile reads the old or the new. Returns the paths and the containers.
[[nodiscard]] Result<Json> sync_ssh_config(const SshConfigSync& wanted, Invoker& berthd);

}  // namespace berth::cli
