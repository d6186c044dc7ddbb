// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/token_command.h"

#include "mcp-server/auth/tokens.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace berth::auth {
namespace {

constexpr int expires_days_max = 3650;

std::string table_of(const std::vector<Token>& tokens, const Clock& clock) {
    constexpr std::size_t date_length = 10;  // of an RFC 3339 time
    std::string text =
        fmt::format("{:<24} {:<10}  {:<10}  {}\n", "NAME", "CREATED", "EXPIRES", "SCOPES");
    for (const Token& token : tokens) {
        std::string expires = "never";
        if (token.expires_at) {
            expires = *token.expires_at <= clock.wall()
                          ? "expired"
                          : to_rfc3339(*token.expires_at).substr(0, date_length);
        }
        text += fmt::format("{:<24} {:<10}  {:<10}  {}\n", token.id,
                            to_rfc3339(token.created_at).substr(0, date_length), expires,
                            fmt::join(token.scopes, " "));
    }
    return text;
}

/// Without the digests: they are of no use to anybody but the server.
std::string json_of(const std::vector<Token>& tokens) {
    Json document = tokens_json(tokens);
    for (Json& token : document["tokens"]) token.erase("sha256");
    return to_pretty_text(document) + "\n";
}

}  // namespace

void add_token_commands(CLI::App& app, TokenCommand& command) {
    auto* token =
        app.add_subcommand("token", "Give out tokens for HTTP clients, and take them back");
    token->require_subcommand(1);
    token->add_option("--file", command.file,
                      fmt::format("The file of tokens (default: tokens_file of the configuration, "
                                  "or {})",
                                  default_tokens_path));
    auto* add = token->add_subcommand("add", "Make a token and print it, this once");
    add->add_option("name", command.name, "What it is for, like 'ci'")->required();
    add->add_option("--scope", command.scopes,
                    "What it may do: 'container.write', 'container.*', '*.read' or '*'")
        ->required();
    add->add_option("--expires-days", command.expires_days, "Not good after this (default: never)")
        ->check(CLI::Range(1, expires_days_max));
    add->add_option("--group", command.group, "Who may read a new file (default: berth)");
    add->callback([&command] { command.action = TokenCommand::Action::add; });
    auto* list = token->add_subcommand("list", "Show what tokens there are");
    list->add_flag("--json", command.json, "As JSON");
    list->callback([&command] { command.action = TokenCommand::Action::list; });
    auto* remove = token->add_subcommand("remove", "Make a token useless, at once");
    remove->add_option("name", command.name, "Which one")->required();
    remove->callback([&command] { command.action = TokenCommand::Action::remove; });
}

Result<std::string> run_token_command(const TokenCommand& command, const std::string& file,
                                      const Clock& clock) {
    const std::string& path = command.file.empty() ? file : command.file;
    switch (command.action) {
        case TokenCommand::Action::add: {
            NewToken token{.id = command.name, .scopes = command.scopes, .group = command.group};
            if (command.expires_days) token.good_for = std::chrono::days(*command.expires_days);
            return BERTH_TRY(add_token(path, token, clock)) + "\n";
        }
        case TokenCommand::Action::list: {
            const auto tokens = BERTH_TRY(list_tokens(path));
            return command.json ? json_of(tokens) : table_of(tokens, clock);
        }
        case TokenCommand::Action::remove:
            BERTH_TRY(remove_token(path, command.name));
            return fmt::format("removed {}\n", command.name);
        case TokenCommand::Action::none:
            break;
    }
    return fail(ErrorCode::invalid_argument, "no token command was given");
}

}  // namespace berth::auth
