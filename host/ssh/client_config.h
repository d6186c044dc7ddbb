// SPDX-License-Identifier: Apache-2.0
// What an OpenSSH client needs to log in by a container's name. Values in, text out.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::ssh {

struct Login {
    std::string container;  // name
    std::string id;
    std::int64_t port = 0;
    std::string host_key;  // "ssh-ed25519 AAAA…"
};

/// A host name or address as it may stand in ssh_config: letters, digits, '.', '-', ':', at most
/// 253 characters, not starting with '-'. invalid_argument with field "/host" for anything else.
[[nodiscard]] Result<std::string> checked_host(std::string_view text);

/// One `Host` entry per login. HostKeyAlias is "berth-<id>", so that a host key is pinned to the
/// container and not to an address and port that another container may have later.
/// UserKnownHostsFile is `known_hosts_file`; StrictHostKeyChecking yes; KexAlgorithms puts
/// curve25519-sha256 first (it halves the login time); IdentitiesOnly stays the user's choice.
[[nodiscard]] std::string client_config(const std::vector<Login>& logins, std::string_view host,
                                        std::string_view known_hosts_file);

/// One line per login, by its alias.
[[nodiscard]] std::string known_hosts(const std::vector<Login>& logins);

}  // namespace berth::ssh
