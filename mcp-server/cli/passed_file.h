// SPDX-License-Identifier: Apache-2.0
// A file of whoever types a command, for berthd to read or to write: it is opened here, with the
// rights of the one who types, and berthd gets the descriptor alone.
#pragma once

#include "mcp-server/cli/command_line.h"

#include <memory>
#include <string>
#include <string_view>

namespace berth::cli {

/// The path that stands for standard input, or output.
inline constexpr std::string_view standard_stream = "-";

class PassedFile {
public:
    /// A file that is to be written gets its name in keep(); until then it has another one beside
    /// it. What is there and is no regular file (a pipe, /dev/null) is written to as it is.
    [[nodiscard]] static Result<PassedFile> open(const FileToPass& file);
    PassedFile(PassedFile&& other) noexcept;
    PassedFile& operator=(PassedFile&& other) noexcept;
    /// Removes what was not kept.
    ~PassedFile();

    [[nodiscard]] const std::shared_ptr<const int>& descriptor() const { return descriptor_; }
    [[nodiscard]] Result<> keep();

private:
    PassedFile() = default;
    std::shared_ptr<const int> descriptor_;
    std::string path_, made_;  // "": nothing is to be renamed
};

}  // namespace berth::cli
