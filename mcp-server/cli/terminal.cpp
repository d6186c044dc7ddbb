// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace berth::cli {
namespace {

/// For a terminal that does not say, as a serial line.
constexpr std::size_t columns_default = 80;

struct Shown {
    std::string_view value;
    Style style;
};

/// What the words of the contract's states and severities mean to a person.
constexpr std::array<Shown, 16> states{{{"running", Style::good},
                                        {"ready", Style::good},
                                        {"succeeded", Style::good},
                                        {"completed", Style::good},
                                        {"ok", Style::good},
                                        {"stopped", Style::attention},
                                        {"creating", Style::attention},
                                        {"deleting", Style::attention},
                                        {"cancelled", Style::attention},
                                        {"warning", Style::attention},
                                        {"missing", Style::attention},
                                        {"degraded", Style::attention},
                                        {"failed", Style::bad},
                                        {"error", Style::bad},
                                        {"critical", Style::bad},
                                        {"broken", Style::bad}}};
constexpr std::array<std::string_view, 4> keys_of_states{"state", "status", "severity", "level"};

}  // namespace

Device device_of(int fd) {
    if (::isatty(fd) == 0) return {};
    winsize size{};
    const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return {.terminal = true, .columns = known ? size.ws_col : columns_default};
}

std::optional<ColourChoice> colour_choice(std::string_view word) {
    if (word == "auto") return ColourChoice::automatic;
    if (word == "always") return ColourChoice::always;
    if (word == "never") return ColourChoice::never;
    return std::nullopt;
}

TerminalVariables terminal_variables() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const std::string_view kind = term == nullptr ? "" : term;
    return {.no_color = no_color != nullptr && *no_color != '\0',
            .dumb = kind.empty() || kind == "dumb"};
}

Look look_of(const Device& device, ColourChoice choice, const TerminalVariables& variables) {
    const bool able = device.terminal && !variables.dumb;
    const bool wanted = choice == ColourChoice::always ||
                        (choice == ColourChoice::automatic && able && !variables.no_color);
    return {.colour = wanted,
            .moves = able,
            .terminal = device.terminal,
            .columns = device.terminal ? device.columns : 0};
}

std::string painted(std::string text, Style style, const Look& look) {
    if (!look.colour || style == Style::plain || text.empty()) return text;
    const char* code = style == Style::heading     ? "1"
                       : style == Style::good      ? "32"
                       : style == Style::attention ? "33"
                                                   : "31";
    return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

Style style_of(std::string_view key, std::string_view value) {
    if (std::ranges::find(keys_of_states, key) == keys_of_states.end()) return Style::plain;
    const auto* const found = std::ranges::find(states, value, &Shown::value);
    return found == states.end() ? Style::plain : found->style;
}

}  // namespace berth::cli
