// SPDX-License-Identifier: Apache-2.0
// What may stand at the end of a command line that is being typed. The shells' scripts ask berth
// itself (`berth __complete -- WORD...`), so that they know what berth knows.
#pragma once

#include "tools-schema/contract/json.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

struct Candidate {
    std::string word;
    std::string about;  // one line; "" when the word says it all
};

struct Completions {
    std::vector<Candidate> candidates;
    bool files = false;  // names of files fit too
};

/// Calls a tool to learn what there is.
using Ask = std::function<Result<Json>(std::string_view tool, const Json& arguments)>;

/// `words` are those after "berth", the last being the one that is typed, maybe "". When berthd
/// does not answer there are no names, and that is all.
[[nodiscard]] Completions complete(std::vector<std::string> words, const Ask& ask);

/// The value of --socket in front of the word that is typed; "" when there is none.
[[nodiscard]] std::string socket_among(const std::vector<std::string>& words);

/// One candidate a line, what it is about behind a tab; ":files" when files fit.
[[nodiscard]] std::string completion_lines(const Completions& completions);

[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string zsh_completion();

}  // namespace berth::cli
