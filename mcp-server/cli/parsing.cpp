// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/parsing.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace berth::cli {

std::string help_hint(std::string_view verb) {
    return fmt::format("berth {} --help", verb);
}

void add_globals(CLI::App& app, CommandLine& line) {
    app.add_flag("--json", line.json, "Print the result as JSON");
    app.add_option("--socket", line.socket, "The socket of berthd (or BERTH_SOCKET)")
        ->type_name("PATH");
    app.add_option_function<std::string>(
           "--color", [&line](const std::string& word) { line.colour = *colour_choice(word); },
           "auto (on a terminal, unless NO_COLOR is set), always or never")
        ->check([](const std::string& word) {
            return colour_choice(word) ? "" : "'" + word + "' is not one of auto, always, never";
        })
        ->type_name("WHEN");
}

Result<Words> parse(CLI::App& app, Words words, std::string_view verb, std::string& printed) {
    std::ranges::reverse(words);
    try {
        app.parse(std::move(words));
        return app.remaining();
    } catch (const CLI::CallForHelp&) {
        printed = app.help();
        return Words{};
    } catch (const CLI::ParseError& problem) {
        return fail(make_error(ErrorCode::invalid_argument, problem.what()).next(help_hint(verb)));
    }
}

}  // namespace berth::cli
