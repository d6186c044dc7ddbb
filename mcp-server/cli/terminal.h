// SPDX-License-Identifier: Apache-2.0
// What a stream leads to, and what may therefore be written to it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth::cli {

/// A stream as the kernel knows it.
struct Device {
    bool terminal = false;
    std::size_t columns = 0;  // of a terminal
};

/// Asks the kernel about a descriptor.
[[nodiscard]] Device device_of(int fd);

enum class ColourChoice { automatic, always, never };

/// "auto", "always", "never".
[[nodiscard]] std::optional<ColourChoice> colour_choice(std::string_view word);

/// The variables that say what a terminal can do and what its owner likes.
struct TerminalVariables {
    bool no_color = false;  // NO_COLOR is set and not empty (no-color.org)
    bool dumb = false;      // TERM is "dumb", or there is none
};
[[nodiscard]] TerminalVariables terminal_variables();

/// How to write to one stream.
struct Look {
    bool colour = false;
    bool moves = false;       // the cursor can be moved, so that a line can be drawn again
    bool terminal = false;    // a person reads this
    std::size_t columns = 0;  // lines may be this wide; 0: as wide as they are
};
[[nodiscard]] Look look_of(const Device& device, ColourChoice choice,
                           const TerminalVariables& variables);

enum class Style { plain, heading, good, attention, bad };

/// The text in that style, when the look has colours.
[[nodiscard]] std::string painted(std::string text, Style style, const Look& look);

/// How a value of that member is to be shown: states and severities have colours.
[[nodiscard]] Style style_of(std::string_view key, std::string_view value);

}  // namespace berth::cli
