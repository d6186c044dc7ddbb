// SPDX-License-Identifier: Apache-2.0
// Makes the files of layers from entries that a stream held. The entries may be hostile: nothing is
// ever made outside of the layer, whatever symbolic links are in it.
#pragma once

#include "base/fd.h"
#include "host/transfer/stream.h"

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace berth::transfer {

class TreeMaker final : public EntryTaker {
public:
    /// `directory` is there and empty; layer N becomes its subdirectory N, with owners that begin
    /// at `uid_base`.
    TreeMaker(std::filesystem::path directory, std::int64_t uid_base, std::stop_token cancelled)
        : top_(std::move(directory)), uid_base_(uid_base), cancelled_(std::move(cancelled)) {}

    [[nodiscard]] Result<> begin(std::size_t layer, const Entry& entry) override;
    [[nodiscard]] Result<> content(std::int64_t offset, std::string_view bytes) override;
    [[nodiscard]] Result<> end() override;
    /// After the last entry: gives the directories that are still open what they are to have.
    [[nodiscard]] Result<> finish();

    /// What each layer takes of the disk.
    [[nodiscard]] const std::vector<std::int64_t>& bytes_on_disk() const { return bytes_; }

private:
    [[nodiscard]] Result<> begin_layer(std::size_t layer);
    [[nodiscard]] Result<> enter(const std::string& directory);
    [[nodiscard]] Result<> leave_all_but(const std::string& directory);
    [[nodiscard]] Result<> make(const std::string& name);
    [[nodiscard]] Result<> link(const std::string& name);
    [[nodiscard]] Result<> describe(const Fd& directory, const std::string& name,
                                    const Entry& entry);

    std::filesystem::path top_;
    std::int64_t uid_base_;
    std::stop_token cancelled_;
    Fd root_;                  // of the layer that is being made
    std::vector<Entry> open_;  // directories in which more may be made, each in the one before
    Fd parent_;
    std::string parent_path_;
    Entry entry_;  // the one that is being made
    Fd file_;
    std::vector<std::int64_t> bytes_;
};

}  // namespace berth::transfer
