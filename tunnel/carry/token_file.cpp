// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/token_file.h"

#include "base/files.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::tunnel {

Result<std::string> read_token(const std::filesystem::path& file) {
    if (file.empty()) return "";
    std::string text = BERTH_TRY(read_file(file));
    text.erase(std::ranges::find_if(text, [](char c) { return c == '\n' || c == '\r'; }),
               text.end());
    if (!text.empty()) return text;
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} has no token in its first line", file.string()));
}

}  // namespace berth::tunnel
