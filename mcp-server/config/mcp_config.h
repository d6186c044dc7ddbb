// SPDX-License-Identifier: Apache-2.0
// What berth-mcp can be told, by its file and, with precedence, by its flags.
#pragma once

#include "base/http_listener.h"
#include "tools-schema/contract/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace berth {

inline constexpr const char* mcp_config_path = "/etc/berth/mcp.toml";

struct McpConfig {
    TcpEndpoint listen;  // of loopback
    std::string socket;  // berthd's
    std::string log_level;
    std::vector<std::string> allowed_hosts;
    std::vector<std::string> allowed_origins;
};

/// Every key of the file as it comes from the command line; what was not given is empty.
struct McpFlags {
    std::optional<std::filesystem::path> config = {};  // then it must be there
    std::optional<std::string> listen = {};
    std::optional<std::string> socket = {};
    std::optional<std::string> log_level = {};
    std::optional<std::vector<std::string>> allowed_hosts = {};
    std::optional<std::vector<std::string>> allowed_origins = {};
};

[[nodiscard]] Result<McpConfig> load_mcp_config(const McpFlags& flags);

}  // namespace berth
