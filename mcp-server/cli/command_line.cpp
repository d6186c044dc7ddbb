// SPDX-License-Identifier: Apache-2.0
// The border file of CLI11. The words in front of the verb and those behind it are read by an App
// of their own, so that an argument which happens to be spelled like a verb is still an argument.
#include "mcp-server/cli/command_line.h"

#include "mcp-server/cli/arguments.h"
#include "mcp-server/cli/completion.h"
#include "mcp-server/cli/parsing.h"
#include "mcp-server/cli/verbs.h"
#include "tools-schema/contract/decode.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace berth::cli {
namespace {

/// The verb of one tool: its App, and what it was given.
class ToolVerb {
public:
    ToolVerb(const ToolSpec& tool, CommandLine& line);
    Result<ToolCall> read(Words words, std::istream& in, std::string& printed);

private:
    void add(const std::string& name, const Json& property);
    Result<ToolCall> from_options(const Words& rest, std::istream& in);
    Result<> take_rest(const Words& rest);
    std::optional<FileToPass> take_file();

    const ToolSpec& tool_;
    Verb verb_;
    CLI::App app_;
    std::string raw_;
    std::map<std::string, CLI::Option*> options_;
    std::string trailing_;  // the array that takes all words behind the other positionals
    Given given_;
};

ToolVerb::ToolVerb(const ToolSpec& tool, CommandLine& line)
    : tool_(tool),
      verb_(verb_of(tool)),
      app_(std::string(tool.description), "berth " + verb_.name()) {
    for (const auto& name : verb_.positional) add(name, verb_.properties[name]);
    for (const auto& [name, property] : verb_.properties.items()) {
        if (!options_.contains(name) && name != trailing_) add(name, property);
    }
    app_.add_option("--args", raw_, "All arguments as one JSON object, instead of the others")
        ->type_name("JSON");
    add_globals(app_, line);
    if (!trailing_.empty()) {
        app_.prefix_command();
        app_.footer(
            fmt::format("All words after that are {}, as they are; put -- in front when "
                        "the first starts with '-'.",
                        positional_name(trailing_)));
    }
}

void ToolVerb::add(const std::string& name, const Json& property) {
    const auto type = property.value("type", "");
    const auto description = property.value("description", "");
    const bool positional = std::ranges::find(verb_.positional, name) != verb_.positional.end();
    if (positional && type == "array") {
        trailing_ = name;
        return;
    }
    if (type == "boolean") {
        options_[name] = app_.add_flag(option_name(name, property), description);
        return;
    }
    auto* option = app_.add_option(positional ? name : option_name(name, property));
    option->description(description);
    option->type_name(positional ? " " : type == "integer" ? "N" : "VALUE");
    if (type == "array") option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    options_[name] = option;
}

Result<> ToolVerb::take_rest(const Words& rest) {
    if (trailing_.empty() || rest.empty()) return {};
    const bool marked = rest.front() == "--";
    if (!marked && rest.front().starts_with('-')) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("there is no option {}", rest.front()))
                        .next(help_hint(verb_.name())));
    }
    if (rest.size() > (marked ? 1U : 0U)) {
        given_.values[trailing_] = {rest.begin() + (marked ? 1 : 0), rest.end()};
    }
    return {};
}

std::optional<FileToPass> ToolVerb::take_file() {
    for (const auto* fields : {&verb_.read_from, &verb_.write_to}) {
        for (const auto& name : *fields) {
            auto given = given_.values.extract(name);
            if (given) return FileToPass{given.mapped().front(), fields == &verb_.write_to};
        }
    }
    return std::nullopt;
}

Result<ToolCall> ToolVerb::from_options(const Words& rest, std::istream& in) {
    BERTH_TRY(take_rest(rest));
    for (const auto& [name, option] : options_) {
        if (option->count() == 0) continue;
        if (verb_.properties[name].value("type", "") == "boolean") {
            given_.flags.insert(name);
        } else {
            given_.values[name] = option->results();
        }
    }
    if (raw_.empty()) {
        auto file = take_file();
        auto arguments = BERTH_TRY(to_arguments(verb_, given_, in));
        return ToolCall{&tool_, std::move(arguments), std::move(file)};
    }
    if (!given_.values.empty() || !given_.flags.empty()) {
        return fail(ErrorCode::invalid_argument, "--args stands instead of all other arguments");
    }
    auto arguments = BERTH_TRY(parse_json(raw_));
    return ToolCall{&tool_, std::move(arguments)};
}

Result<ToolCall> ToolVerb::read(Words words, std::istream& in, std::string& printed) {
    const auto rest = BERTH_TRY(parse(app_, std::move(words), verb_.name(), printed));
    if (!printed.empty()) return ToolCall{&tool_, {}};
    auto call = from_options(rest, in);
    if (call || !call.error().hint.empty()) return call;
    return fail(std::move(call).error().next(help_hint(verb_.name())));
}

std::string all_verbs() {
    std::string text = "Verbs:\n";
    for (const auto& tool : tool_catalogue()) {
        text += fmt::format("  {:<26}{}\n", verb_of(tool).name(), tool.title);
    }
    text += fmt::format("  {:<26}{}\n", "ssh-config sync", "Write SSH configuration to files");
    text +=
        fmt::format("  {:<26}{}\n", "mcp install", "Put berth into an MCP client's configuration");
    text += fmt::format("  {:<26}{}\n", "mcp uninstall", "Take it out again");
    text += fmt::format("  {:<26}{}\n", "mcp list", "Show which MCP clients have it");
    text += fmt::format("  {:<26}{}\n", "tunnel",
                        "Make what listens here reachable through a sentinel");
    text += fmt::format("  {:<26}{}", "completion bash|zsh", "Print a completion script");
    return text;
}

Result<SshConfigSync> read_ssh_config_sync(Words words, CommandLine& line, std::string& printed) {
    SshConfigSync sync;
    CLI::App app("Writes an SSH configuration that reaches every container by its name",
                 "berth ssh-config sync");
    app.add_option("--host", sync.host, "The host's name or address as this machine reaches it");
    app.add_option("--dir", sync.directory, "Where to write (default: ~/.ssh)");
    app.add_flag("--include", sync.include, "Make the configuration there include the entries");
    add_globals(app, line);
    BERTH_TRY(parse(app, std::move(words), "ssh-config sync", printed));
    return sync;
}

Result<Print> read_completion(const Words& words) {
    if (words.size() == 1 && words[0] == "bash") return Print{bash_completion()};
    if (words.size() == 1 && words[0] == "zsh") return Print{zsh_completion()};
    if (words.size() == 1 && words[0] == "--help") {
        return Print{"berth completion bash|zsh\n\nsource <(berth completion bash)\n"};
    }
    return fail(make_error(ErrorCode::invalid_argument, "the shell must be bash or zsh")
                    .next("berth completion bash"));
}

/// A first word that no verb goes on from: help about its group, or what is wrong with it.
Result<Print> about_group(const Words& rest) {
    std::set<std::string> groups{"completion", "mcp", "ssh-config", "tunnel"};
    std::vector<std::string> seconds;
    std::string text;
    for (const auto& tool : tool_catalogue()) {
        const auto verb = verb_of(tool);
        groups.insert(verb.first);
        if (verb.first != rest[0]) continue;
        seconds.push_back(verb.second);
        text += fmt::format("  berth {:<24}{}\n", verb.name(), tool.title);
    }
    if (rest[0] == "ssh-config") seconds.emplace_back("sync");
    if (rest.size() > 1 && (rest[1] == "--help" || rest[1] == "-h") && !text.empty()) {
        return Print{text};
    }
    if (seconds.empty()) {
        const auto meant = nearest(rest[0], {groups.begin(), groups.end()});
        return fail(make_error(ErrorCode::invalid_argument,
                               rest[0].starts_with('-')
                                   ? fmt::format("there is no option {}", rest[0])
                                   : fmt::format("there is no verb '{}'", rest[0]))
                        .next(meant.empty() ? "berth --help" : "berth " + meant + " --help"));
    }
    return fail(
        make_error(ErrorCode::invalid_argument, fmt::format("'berth {}' goes on with one of {}",
                                                            rest[0], fmt::join(seconds, ", ")))
            .next(help_hint(rest[0])));
}

Result<> read_verb(const Words& rest, std::istream& in, CommandLine& line) {
    if (rest.empty()) {
        return fail(
            make_error(ErrorCode::invalid_argument, "a verb is missing").next("berth --help"));
    }
    const bool second = rest.size() > 1;
    std::string printed;
    if (rest[0] == "completion") {
        line.action = BERTH_TRY(read_completion({rest.begin() + 1, rest.end()}));
    } else if (rest[0] == "mcp") {
        line.action = BERTH_TRY(read_mcp_command({rest.begin() + 1, rest.end()}, line, printed));
    } else if (rest[0] == "tunnel") {
        line.action = BERTH_TRY(read_tunnel_command({rest.begin() + 1, rest.end()}, line, printed));
    } else if (second && rest[0] == "ssh-config" && rest[1] == "sync") {
        line.action =
            BERTH_TRY(read_ssh_config_sync({rest.begin() + 2, rest.end()}, line, printed));
    } else if (const auto* tool = second ? find_verb(rest[0], rest[1]) : nullptr) {
        line.action =
            BERTH_TRY(ToolVerb(*tool, line).read({rest.begin() + 2, rest.end()}, in, printed));
    } else {
        line.action = BERTH_TRY(about_group(rest));
    }
    if (!printed.empty()) line.action = Print{printed};
    return {};
}

}  // namespace

Result<CommandLine> read_command_line(Words words, std::istream& in) {
    const char* configured = std::getenv("BERTH_SOCKET");
    CommandLine line{.socket = configured != nullptr ? configured : socket_default, .action = {}};
    // For the completion scripts alone: in front of all parsing, for its words are no command yet.
    if (words.size() > 1 && words[0] == "__complete" && words[1] == "--") {
        line.action = Complete{{words.begin() + 2, words.end()}};
        return line;
    }
    std::string printed;
    bool version = false;
    CLI::App app("Linux machines for agents and the people beside them", "berth");
    app.prefix_command();
    app.add_flag("--version", version, "Print the version");
    app.footer(all_verbs());
    add_globals(app, line);
    const auto rest = BERTH_TRY(parse(app, std::move(words), "", printed));
    if (version) printed = "berth " BERTH_VERSION "\n";
    if (!printed.empty()) {
        line.action = Print{printed};
        return line;
    }
    BERTH_TRY(read_verb(rest, in, line));
    return line;
}

}  // namespace berth::cli
