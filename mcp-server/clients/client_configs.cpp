// SPDX-License-Identifier: Apache-2.0
// The facts are those of the clients' own documentation:
//   Claude Code  code.claude.com/docs/en/mcp: ~/.claude.json and .mcp.json, "type" is stdio or http
//   Cursor       cursor.com/docs/mcp: ~/.cursor/mcp.json and .cursor/mcp.json, a url needs no type
//   VS Code      code.visualstudio.com, MCP configuration reference: "servers", with comments
//   Codex        ~/.codex/config.toml, and .codex/config.toml of a project that it trusts
//   Gemini CLI   geminicli.com/docs/tools/mcp-server: "httpUrl" is Streamable HTTP, "url" is SSE
#include "mcp-server/clients/client_configs.h"

#include "mcp-server/clients/json_edit.h"
#include "mcp-server/clients/jsonc.h"
#include "mcp-server/clients/toml_edit.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace berth::clients {
namespace {

namespace fs = std::filesystem;

Json command_of(const Server& server) {
    return {{"command", server.command}, {"args", server.args}};
}

Json claude_entry(const Server& server) {
    if (!server.url.empty()) return {{"type", "http"}, {"url", server.url}};
    return {{"type", "stdio"},
            {"command", server.command},
            {"args", server.args},
            {"env", Json::object()}};
}

Json vscode_entry(const Server& server) {
    if (!server.url.empty()) return {{"type", "http"}, {"url", server.url}};
    return {{"type", "stdio"}, {"command", server.command}, {"args", server.args}};
}

Json url_entry(const Server& server) {
    if (!server.url.empty()) return {{"url", server.url}};
    return command_of(server);
}

Json gemini_entry(const Server& server) {
    if (!server.url.empty()) return {{"httpUrl", server.url}};
    return command_of(server);
}

constexpr std::array<Client, 5> clients{{
    {.name = "claude-code",
     .title = "Claude Code",
     .format = Format::json,
     .list = "mcpServers",
     .user_file = [](const Places& in) { return in.claude / ".claude.json"; },
     .project_file = ".mcp.json",
     .entry = claude_entry},
    {.name = "cursor",
     .title = "Cursor",
     .format = Format::json,
     .list = "mcpServers",
     .user_file = [](const Places& in) { return in.home / ".cursor" / "mcp.json"; },
     .project_file = ".cursor/mcp.json",
     .entry = url_entry},
    {.name = "vscode",
     .title = "VS Code",
     .format = Format::json,
     .list = "servers",
     .user_file = [](const Places& in) { return in.config / "Code" / "User" / "mcp.json"; },
     .project_file = ".vscode/mcp.json",
     .entry = vscode_entry},
    {.name = "codex",
     .title = "Codex",
     .format = Format::toml,
     .list = "mcp_servers",
     .user_file = [](const Places& in) { return in.codex / "config.toml"; },
     .project_file = ".codex/config.toml",
     .entry = url_entry},
    {.name = "gemini",
     .title = "Gemini CLI",
     .format = Format::json,
     .list = "mcpServers",
     .user_file = [](const Places& in) { return in.home / ".gemini" / "settings.json"; },
     .project_file = ".gemini/settings.json",
     .entry = gemini_entry},
}};

/// The directory that a variable names, or the one that it is by default.
fs::path directory(const char* variable, fs::path otherwise) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0' ? fs::path(value) : std::move(otherwise);
}

}  // namespace

std::string_view name_of(Scope scope) {
    return scope == Scope::user ? "user" : "project";
}

Result<Places> places_of_user() {
    const char* home = std::getenv("HOME");
    if (home == nullptr || *home == '\0') {
        return fail(make_error(ErrorCode::invalid_argument, "HOME is not set")
                        .next("set HOME to the home directory whose clients are meant"));
    }
    std::error_code problem;
    const auto here = fs::current_path(problem);
    if (problem) return fail(ErrorCode::not_found, "the working directory is gone");
    const fs::path at(home);
    return Places{.home = at,
                  .project = here,
                  .config = directory("XDG_CONFIG_HOME", at / ".config"),
                  .claude = directory("CLAUDE_CONFIG_DIR", at),
                  .codex = directory("CODEX_HOME", at / ".codex"),
                  .state = directory("XDG_STATE_HOME", at / ".local" / "state") / "berth"};
}

fs::path Client::file(Scope scope, const Places& places) const {
    return scope == Scope::user ? user_file(places) : places.project / project_file;
}

std::span<const Client> all_clients() {
    return clients;
}

const Client* find_client(std::string_view name) {
    const auto* const found = std::ranges::find(clients, name, &Client::name);
    return found == clients.end() ? nullptr : &*found;
}

Result<Json> whole_value(const Client& client, const std::string& text) {
    if (client.format == Format::toml) return read_toml(text);
    return BERTH_TRY(Jsonc::read(text)).value();
}

std::string target_of(const Json& entry) {
    for (const char* key : {"url", "httpUrl"}) {
        if (entry.contains(key) && entry[key].is_string()) return entry[key].get<std::string>();
    }
    if (!entry.contains("command") || !entry["command"].is_string()) return "";
    auto text = entry["command"].get<std::string>();
    for (const auto& word : entry.value("args", Json::array())) {
        if (word.is_string()) text += " " + word.get<std::string>();
    }
    return text;
}

Result<Json> entry_in(const Client& client, const std::string& text, const std::string& name) {
    const auto value = BERTH_TRY(whole_value(client, text));
    const auto list = value.find(client.list);
    if (list == value.end() || !list->is_object()) return nullptr;
    return list->value(name, Json());
}

Result<std::string> add_entry(const Client& client, const std::string& text,
                              const std::string& name, const Json& entry) {
    const std::string list(client.list);
    return client.format == Format::toml ? add_to_toml(text, list, name, entry)
                                         : add_to_json(text, list, name, entry);
}

Result<std::string> remove_entry(const Client& client, const std::string& text,
                                 const std::string& name, bool list_too) {
    const std::string list(client.list);
    return client.format == Format::toml ? remove_from_toml(text, list, name)
                                         : remove_from_json(text, list, name, list_too);
}

std::string snippet(const Client& client, const std::string& name, const Json& entry) {
    return add_entry(client, "", name, entry).value_or("");
}

}  // namespace berth::clients
