// SPDX-License-Identifier: Apache-2.0
// A sequence of entries as bytes: a tar archive in pax form, which any tar can list. The border
// file of <archive.h>. Memory is bounded whatever is read.
#pragma once

#include "host/transfer/entry.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace berth::transfer {

/// Takes bytes in order.
using ByteSink = std::function<Result<>(std::string_view)>;
/// Fills the span with the next bytes, at least one, and says how many; 0 at the end.
using ByteSource = std::function<Result<std::size_t>(std::span<char>)>;
/// Takes a piece of a file's content, in order; what is between two pieces is a hole.
using ContentSink = std::function<Result<>(std::int64_t offset, std::string_view bytes)>;

/// More extents than this are written as if the holes behind them were none.
inline constexpr std::size_t extents_max = 10'000;
/// What the extended attributes of one entry may take in all.
inline constexpr std::size_t attribute_bytes_max = std::size_t{512} * 1024;

class PaxWriter {
public:
    explicit PaxWriter(ByteSink sink);
    PaxWriter(const PaxWriter&) = delete;
    PaxWriter& operator=(const PaxWriter&) = delete;
    ~PaxWriter();

    /// The content of a file with extents follows. quota_exceeded for too many attribute bytes.
    [[nodiscard]] Result<> begin(const Entry& entry);
    /// In order, within the entry's extents.
    [[nodiscard]] Result<> content(std::int64_t offset, std::string_view bytes);
    /// Once, behind the last entry.
    [[nodiscard]] Result<> finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

class PaxReader {
public:
    explicit PaxReader(ByteSource source);
    PaxReader(const PaxReader&) = delete;
    PaxReader& operator=(const PaxReader&) = delete;
    ~PaxReader();

    /// The next entry, or nothing at the end. invalid_argument for bytes that are no such archive
    /// and for what no container can have (a device, an archive's own inventions).
    [[nodiscard]] Result<std::optional<Entry>> next();
    /// All of the content of the entry that next() gave.
    [[nodiscard]] Result<> content(const ContentSink& sink);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace berth::transfer
