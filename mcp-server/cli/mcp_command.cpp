// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/mcp_command.h"

#include "mcp-server/cli/parsing.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace berth::cli {
namespace {

namespace fs = std::filesystem;
using clients::Scope;

constexpr std::size_t name_characters_max = 40;
constexpr std::string_view entry_name_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

std::string client_names() {
    std::string names;
    for (const auto& client : clients::all_clients()) {
        names += (names.empty() ? "" : ", ") + std::string(client.name);
    }
    return names;
}

Result<> check_name(const std::string& name) {
    if (!name.empty() && name.size() <= name_characters_max &&
        name.find_first_not_of(entry_name_characters) == std::string::npos) {
        return {};
    }
    return fail(ErrorCode::invalid_argument,
                "--name must be 1 to 40 of the characters a-z, A-Z, 0-9, '_' and '-'");
}

Result<> check_url(const std::string& url) {
    const bool http = url.starts_with("http://") || url.starts_with("https://");
    const bool clean = std::ranges::all_of(
        url, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
    if (http && clean) return {};
    return fail(make_error(ErrorCode::invalid_argument, "--url must begin with http:// or https://")
                    .next("berth mcp install --url http://127.0.0.1:7420/mcp --client ..."));
}

struct GivenOptions {
    std::string client;
    std::string scope = "user";
    bool stdio = false;
};

void add_options(CLI::App& app, McpCommand& command, GivenOptions& given) {
    app.add_option("--name", command.wanted.name, "What the client calls the server")
        ->type_name("NAME");
    if (command.verb == McpCommand::Verb::list) return;
    app.add_option("--client", given.client, client_names())->type_name("CLIENT");
    app.add_option("--scope", given.scope, "user (everywhere) or project (this directory)")
        ->type_name("SCOPE");
    app.add_flag("--dry-run", command.wanted.dry_run, "Show the change and do not make it");
    if (command.verb == McpCommand::Verb::uninstall) return;
    app.add_flag("--stdio", given.stdio, "The client starts berth-mcp itself (the default)");
    app.add_option("--url", command.url, "The client connects to a berth-mcp that runs")
        ->type_name("URL");
    app.add_option("--command", command.command, "Where berth-mcp is (default: beside berth)")
        ->type_name("PATH");
    app.add_flag("--force", command.force, "Replace another entry of that name");
}

Result<> check(const GivenOptions& given, McpCommand& command) {
    BERTH_TRY(check_name(command.wanted.name));
    if (command.verb == McpCommand::Verb::list) return {};
    command.wanted.client = clients::find_client(given.client);
    if (command.wanted.client == nullptr) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("--client must be one of {}", client_names()));
    }
    if (given.scope != "user" && given.scope != "project") {
        return fail(ErrorCode::invalid_argument, "--scope must be user or project");
    }
    command.wanted.scope = given.scope == "user" ? Scope::user : Scope::project;
    if (command.url.empty()) return {};
    if (given.stdio || !command.command.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "--url stands instead of --stdio and --command, not beside them");
    }
    return check_url(command.url);
}

/// The absolute path of berth-mcp: a client starts it from wherever it is itself.
Result<std::string> find_server(const std::string& wanted) {
    std::error_code problem;
    fs::path path = wanted;
    if (wanted.empty()) {
        path = fs::read_symlink("/proc/self/exe", problem).parent_path() / "berth-mcp";
    }
    path = fs::absolute(path, problem).lexically_normal();
    const bool clean =
        std::ranges::none_of(path.native(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (clean && fs::is_regular_file(path, problem) && ::access(path.c_str(), X_OK) == 0) {
        return path.string();
    }
    return fail(
        make_error(ErrorCode::not_found, fmt::format("there is no program '{}'", path.string()))
            .next("--command with the path of berth-mcp, or --url"));
}

Result<clients::Server> server_of(const McpCommand& command, const std::string& socket) {
    if (!command.url.empty()) return clients::Server{.url = command.url};
    clients::Server server{.command = BERTH_TRY(find_server(command.command)), .args = {"--stdio"}};
    if (socket != socket_default) {
        std::error_code problem;
        server.args.insert(server.args.end(), {"--socket", fs::absolute(socket, problem).string()});
    }
    return server;
}

Json told(const McpCommand& command, const clients::Outcome& outcome) {
    const auto& wanted = command.wanted;
    Json result{{"client", wanted.client->name},
                {"scope", clients::name_of(wanted.scope)},
                {"name", wanted.name},
                {"file", outcome.file.string()},
                {"change", outcome.change}};
    if (wanted.dry_run) {
        result["dry_run"] = true;
        result["diff"] = outcome.diff;
    } else if (outcome.change == "none") {
        result["note"] = command.verb == McpCommand::Verb::install ? "it was there already"
                                                                   : "there was no such entry";
    } else {
        result["next"] = fmt::format("restart {}", wanted.client->title);
    }
    return result;
}

}  // namespace

Result<McpCommand> read_mcp_command(Words words, CommandLine& line, std::string& printed) {
    McpCommand command;
    const auto verb = words.empty() ? "" : words.front();
    if (verb == "install") {
        command.verb = McpCommand::Verb::install;
    } else if (verb == "uninstall") {
        command.verb = McpCommand::Verb::uninstall;
    } else if (verb != "list") {
        return fail(make_error(ErrorCode::invalid_argument,
                               "'berth mcp' goes on with one of install, uninstall, list")
                        .next("berth mcp install --help"));
    }
    const auto name = "mcp " + verb;
    CLI::App app(verb == "install"     ? "Puts berth into an MCP client's configuration"
                 : verb == "uninstall" ? "Takes berth out of an MCP client's configuration"
                                       : "Shows which MCP clients have berth",
                 "berth " + name);
    GivenOptions given;
    add_options(app, command, given);
    add_globals(app, line);
    BERTH_TRY(parse(app, {words.begin() + 1, words.end()}, name, printed));
    if (!printed.empty()) return command;
    auto checked = check(given, command);
    if (checked) return command;
    if (!checked.error().hint.empty()) return fail(std::move(checked).error());
    return fail(std::move(checked).error().next(help_hint(name)));
}

Result<Json> run_mcp_command(const McpCommand& command, const std::string& socket) {
    const auto places = BERTH_TRY(clients::places_of_user());
    switch (command.verb) {
        case McpCommand::Verb::list:
            return clients::list_entries(command.wanted.name, places);
        case McpCommand::Verb::uninstall:
            return told(command, BERTH_TRY(clients::uninstall(command.wanted, places)));
        case McpCommand::Verb::install:
            break;
    }
    const auto server = BERTH_TRY(server_of(command, socket));
    return told(command,
                BERTH_TRY(clients::install(command.wanted, server, command.force, places)));
}

std::string mcp_warning() {
    const char* user = std::getenv("SUDO_USER");
    const char* home = std::getenv("HOME");
    if (user == nullptr || home == nullptr || ::geteuid() != 0) return "";
    return fmt::format(
        "berth: running under sudo: the files are those of {}, not of {} (run it without sudo)\n",
        home, user);
}

}  // namespace berth::cli
