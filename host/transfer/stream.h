// SPDX-License-Identifier: Apache-2.0
// The stream that an export writes and an import reads: manifest.json, then each layer of files
// below layers/N, then end.json with digests of both. Bytes in, values out; files are made by
// others.
#pragma once

#include "host/transfer/manifest.h"
#include "host/transfer/pax.h"
#include "host/transfer/tree_digest.h"

#include <cstddef>
#include <string>

namespace berth::transfer {

class StreamWriter {
public:
    explicit StreamWriter(ByteSink sink) : pax_(std::move(sink)) {}

    /// First.
    [[nodiscard]] Result<> manifest(const Manifest& manifest);
    /// Entries in the order of a walk: a directory, then all below it. Each layer begins with its
    /// top, whose path is "".
    [[nodiscard]] Result<> begin(std::size_t layer, Entry entry);
    [[nodiscard]] Result<> content(std::int64_t offset, std::string_view bytes);
    /// Last; the digest of all entries.
    [[nodiscard]] Result<std::string> finish();

private:
    [[nodiscard]] Result<> document(std::string_view name, const Json& json);
    PaxWriter pax_;
    TreeDigest files_;
    std::string manifest_digest_;
};

/// Gets what a stream holds, as it is read. Nothing of it is to be believed before read() returns.
class EntryTaker {
public:
    EntryTaker() = default;
    EntryTaker(const EntryTaker&) = delete;
    EntryTaker& operator=(const EntryTaker&) = delete;
    virtual ~EntryTaker() = default;
    /// Its path is of plain names and lies in a directory of that layer that came before; owners
    /// and attributes are ones that there can be.
    [[nodiscard]] virtual Result<> begin(std::size_t layer, const Entry& entry) = 0;
    [[nodiscard]] virtual Result<> content(std::int64_t offset, std::string_view bytes) = 0;
    /// The entry is whole.
    [[nodiscard]] virtual Result<> end() = 0;
};

class StreamReader {
public:
    explicit StreamReader(ByteSource source) : pax_(std::move(source)) {}

    /// First.
    [[nodiscard]] Result<Manifest> manifest();
    /// Then all the rest, which must be what `manifest` says: no more, no less, and with the digest
    /// that its end tells. Returns that of all entries.
    [[nodiscard]] Result<std::string> read(const Manifest& manifest, EntryTaker& taker);

private:
    [[nodiscard]] Result<Json> document(const Entry& entry, std::size_t bytes_max);
    [[nodiscard]] Result<> take(const Manifest& manifest, Entry entry, EntryTaker& taker);
    [[nodiscard]] Result<> place(Entry& entry);
    [[nodiscard]] Result<> check_layer_whole(const Manifest& manifest) const;
    [[nodiscard]] Result<std::string> end(const Manifest& manifest, const Entry& entry);

    PaxReader pax_;
    TreeDigest files_;
    std::string manifest_digest_;
    std::int64_t layer_ = -1;  // that is being read
    std::int64_t entries_ = 0, bytes_ = 0;
    std::string directory_;  // the one that the last directory was; its parents are open too
};

}  // namespace berth::transfer
