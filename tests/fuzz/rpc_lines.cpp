// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the lines of a stream and the progress in them. However the bytes are cut, the lines
// are the same, and progress that was read can be written and read again.
#include "mcp-server/jsonrpc/rpc_lines.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t line_bytes_max = 256;

struct Lines {
    std::vector<std::string> all;
    bool whole = true;
};

Lines split(std::string_view text, std::size_t step) {
    Lines lines;
    berth::LineSplitter splitter(line_bytes_max);
    for (std::size_t at = 0; lines.whole && at < text.size(); at += step) {
        lines.whole = splitter.feed(text.substr(at, step), [&](std::string_view line) {
            lines.all.emplace_back(line);
            return true;
        });
    }
    return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    const Lines lines = split(text, 1), together = split(text, text.size() + 1);
    if (lines.all != together.all || lines.whole != together.whole) std::abort();
    const jsonrpc::Id id = std::int64_t{1};
    for (const std::string& line : lines.all) {
        const auto progress = read_progress(line, id);
        if (progress && !read_progress(progress_line(id, *progress), id)) std::abort();
    }
    return 0;
}
