// SPDX-License-Identifier: Apache-2.0
// The files of a layer in the order of a stream. The same files give the same order.
#pragma once

#include "base/fd.h"
#include "host/transfer/entry.h"

#include <filesystem>
#include <functional>
#include <stop_token>

namespace berth::transfer {

/// Gets each entry, with its path in the layer, and of a file with content the open file.
using EntryVisit = std::function<Result<>(const Entry& entry, const Fd& file)>;

/// Walks the layer in `tree`, which may hold anything a container can make but must not change
/// meanwhile, and whose owners begin at `uid_base`. Follows no symbolic link. Sockets are passed
/// over: without whoever listened they are nothing.
[[nodiscard]] Result<> walk_tree(const std::filesystem::path& tree, std::int64_t uid_base,
                                 const std::stop_token& cancelled, const EntryVisit& visit);

/// Gives all of a file's content, without holes, in pieces.
[[nodiscard]] Result<> read_extents(
    const Entry& entry, const Fd& file, const std::stop_token& cancelled,
    const std::function<Result<>(std::int64_t offset, std::string_view bytes)>& take);

}  // namespace berth::transfer
