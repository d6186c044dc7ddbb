// SPDX-License-Identifier: Apache-2.0
// The host's own directory of exports, for callers that have no files on this host. A file gets its
// name when it is whole, and is root's alone.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <filesystem>
#include <string>

namespace berth::transfer {

class ExportDirectory {
public:
    explicit ExportDirectory(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// A new file that gets its name in keep(), or goes.
    class Draft {
    public:
        [[nodiscard]] int descriptor() const { return file_.get(); }
        /// already_exists when there is one of that name by now.
        [[nodiscard]] Result<> keep();

    private:
        friend class ExportDirectory;
        Draft(Fd directory, Fd file, std::string name)
            : directory_(std::move(directory)), file_(std::move(file)), name_(std::move(name)) {}
        Fd directory_, file_;
        std::string name_;
    };

    // A name is 1 to 100 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit: it hides
    // nowhere and leads nowhere. Any other is invalid_argument, at /file.

    /// already_exists, at /file, when there is one of that name.
    [[nodiscard]] Result<> check_free(const std::string& name) const;
    [[nodiscard]] Result<Draft> draft(const std::string& name) const;
    /// not_found, at /file.
    [[nodiscard]] Result<Fd> open(const std::string& name) const;

private:
    std::filesystem::path directory_;
};

}  // namespace berth::transfer
