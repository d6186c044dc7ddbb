// SPDX-License-Identifier: Apache-2.0
// What berth put into which file, so that taking it out gives back the very bytes that were there.
// Without it (another machine, a lost home) the entry is still found and removed; only blanks and
// empty lists can then stay behind.
#pragma once

#include "mcp-server/clients/undo.h"
#include "tools-schema/contract/json.h"

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace berth::clients {

/// What only its owner may read: it may hold tokens.
inline constexpr mode_t private_file = 0600;
inline constexpr mode_t private_directory = 0700;

struct Record {
    std::string file;
    std::string name;  // of the entry
    bool made_file = false;
    bool made_list = false;
    std::vector<std::string> made_directories = {};  // outermost first
    Edit edit = {};
};

class Ledger {
public:
    /// Reads it; an empty one when there is none. A ledger that cannot be read counts as none.
    [[nodiscard]] static Ledger read(const std::filesystem::path& directory);

    [[nodiscard]] std::optional<Record> find(const std::string& file,
                                             const std::string& name) const;

    /// Puts the record in place of an older one of the same entry, and forgets it.
    [[nodiscard]] Result<> put(Record record);
    [[nodiscard]] Result<> forget(const std::string& file, const std::string& name);

private:
    explicit Ledger(std::filesystem::path directory) : directory_(std::move(directory)) {}
    [[nodiscard]] Result<> write();

    std::filesystem::path directory_;
    std::vector<Record> records_;
    std::vector<std::string> made_directories_;
};

/// Makes a directory with those that lead to it; returns the ones that were not there, outermost
/// first.
[[nodiscard]] Result<std::vector<std::string>> make_and_tell(const std::filesystem::path& directory,
                                                             mode_t mode);

/// Removes directories, innermost (the last) first, for as long as they are empty.
void remove_empty(const std::vector<std::string>& directories);

}  // namespace berth::clients
