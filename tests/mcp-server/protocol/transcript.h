// SPDX-License-Identifier: Apache-2.0
// A conversation of tests/transcripts as steps, and the values it has kept. README.md there says
// what the lines mean.
#pragma once

#include "tools-schema/contract/json.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth::mcp {

class Transcript {
public:
    struct Step {
        char kind;  // '>', '<', '~', '*'; what is about HTTP is left out
        std::string text;
    };

    /// Throws std::runtime_error for a line that means nothing.
    explicit Transcript(const std::string& text);

    [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
    [[nodiscard]] bool only_http() const { return only_ == "http"; }

    /// What a '>' line sends.
    [[nodiscard]] std::string outgoing(std::string_view text) const;
    /// Whether all that is expected is there; keeps the values that are named.
    [[nodiscard]] bool matches(const Json& expected, const Json& actual);

private:
    void add(const std::string& line);
    void open(const std::string& version, const Json& capabilities);
    [[nodiscard]] bool matches_array(const Json& expected, const Json& actual);

    std::vector<Step> steps_;
    std::string only_;
    std::map<std::string, std::string> snippets_;
    std::map<std::string, Json> kept_;
};

}  // namespace berth::mcp
