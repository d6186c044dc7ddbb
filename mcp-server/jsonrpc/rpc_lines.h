// SPDX-License-Identifier: Apache-2.0
// Streams of JSON, one text a line (application/x-ndjson): how berthd tells progress and events.
#pragma once

#include "mcp-server/jsonrpc/message.h"
#include "tools-schema/registry/invoker.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

inline constexpr std::string_view ndjson_type = "application/x-ndjson";

/// Finds the lines in pieces of any size. Empty lines keep a connection alive and are left out.
class LineSplitter {
public:
    using OnLine = std::function<bool(std::string_view)>;

    explicit LineSplitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

    /// False when a line is too long, or when `on_line` said false: then nothing more is fed.
    [[nodiscard]] bool feed(std::string_view piece, const OnLine& on_line);

    /// What came after the last line end.
    [[nodiscard]] const std::string& rest() const { return rest_; }

private:
    std::size_t line_bytes_max_;
    std::string rest_;
};

/// The notification that tells how far request `id` has come; without its line end.
[[nodiscard]] std::string progress_line(const jsonrpc::Id& id, const Progress& progress);

/// The reverse; nothing when the line is something else, or about another request.
[[nodiscard]] std::optional<Progress> read_progress(std::string_view line, const jsonrpc::Id& id);

}  // namespace berth
