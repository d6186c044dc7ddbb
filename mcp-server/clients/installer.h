// SPDX-License-Identifier: Apache-2.0
// Puts berth into a client's configuration file and takes it out again.
#pragma once

#include "mcp-server/clients/client_configs.h"

namespace berth::clients {

struct Wanted {
    const Client* client;
    Scope scope = Scope::user;
    std::string name = "berth";
    bool dry_run = false;
};

struct Outcome {
    std::filesystem::path file;
    std::string change;  // "added", "replaced", "removed", "restored", "none"
    std::string diff;    // what was changed, or would be
};

/// already_exists when there is another entry of that name and `force` is not given; the message
/// has the difference. invalid_argument when the file cannot be understood; the hint has the lines
/// to add by hand.
[[nodiscard]] Result<Outcome> install(const Wanted& wanted, const Server& server, bool force,
                                      const Places& places);

/// Gives back the bytes that were there before install, or, when the file has changed there since,
/// removes the entry alone. "none" when there is no entry.
[[nodiscard]] Result<Outcome> uninstall(const Wanted& wanted, const Places& places);

/// Each client's files, and the entry of that name in them.
[[nodiscard]] Json list_entries(const std::string& name, const Places& places);

}  // namespace berth::clients
