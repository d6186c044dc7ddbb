// SPDX-License-Identifier: Apache-2.0
// What each MCP client calls its configuration file, and how an entry for a server reads in it.
#pragma once

#include "tools-schema/contract/json.h"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::clients {

enum class Format { json, toml };
enum class Scope { user, project };

[[nodiscard]] std::string_view name_of(Scope scope);

/// Where files are looked for, from the environment.
struct Places {
    std::filesystem::path home;
    std::filesystem::path project;  // the directory that a project's files are in
    std::filesystem::path config;   // XDG_CONFIG_HOME or ~/.config
    std::filesystem::path claude;   // CLAUDE_CONFIG_DIR or ~
    std::filesystem::path codex;    // CODEX_HOME or ~/.codex
    std::filesystem::path state;    // XDG_STATE_HOME/berth or ~/.local/state/berth
};

/// invalid_argument when HOME is not set.
[[nodiscard]] Result<Places> places_of_user();

/// How a client reaches berth: it starts `command`, or it connects to `url`.
struct Server {
    std::string command = {};
    std::vector<std::string> args = {};
    std::string url = {};  // "" for a command
};

struct Client {
    std::string_view name;   // "claude-code"
    std::string_view title;  // "Claude Code"
    Format format;
    std::string_view list;  // the member or table that the servers are in
    std::filesystem::path (*user_file)(const Places&);
    std::string_view project_file;  // relative to the project
    Json (*entry)(const Server&);

    [[nodiscard]] std::filesystem::path file(Scope scope, const Places& places) const;
};

[[nodiscard]] std::span<const Client> all_clients();
[[nodiscard]] const Client* find_client(std::string_view name);

/// All that a file says.
[[nodiscard]] Result<Json> whole_value(const Client& client, const std::string& text);

/// What an entry leads to: a command line or an address.
[[nodiscard]] std::string target_of(const Json& entry);

/// The entry of that name in a file's text; null when there is none.
[[nodiscard]] Result<Json> entry_in(const Client& client, const std::string& text,
                                    const std::string& name);

/// The text with the entry, and without it. The errors are those of json_edit.h and toml_edit.h.
[[nodiscard]] Result<std::string> add_entry(const Client& client, const std::string& text,
                                            const std::string& name, const Json& entry);
[[nodiscard]] Result<std::string> remove_entry(const Client& client, const std::string& text,
                                               const std::string& name, bool list_too);

/// What a person adds by hand: a whole small file.
[[nodiscard]] std::string snippet(const Client& client, const std::string& name, const Json& entry);

}  // namespace berth::clients
