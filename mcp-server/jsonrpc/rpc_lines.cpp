// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/jsonrpc/rpc_lines.h"

namespace berth {
namespace {

using namespace jsonrpc;

/// A longer line is no progress but an answer, and is parsed once, as that.
constexpr std::size_t progress_bytes_max = 64 * 1024;

Json id_value(const Id& id) {
    return std::visit([](const auto& value) { return Json(value); }, id);
}

}  // namespace

bool LineSplitter::feed(std::string_view piece, const OnLine& on_line) {
    for (;;) {
        const std::size_t end = piece.find('\n');
        const std::string_view part = piece.substr(0, end);
        if (part.size() > line_bytes_max_ - rest_.size()) return false;
        if (end == std::string_view::npos) {
            rest_ += part;
            return true;
        }
        piece.remove_prefix(end + 1);
        const std::string before = std::exchange(rest_, {});
        const std::string joined = before.empty() ? "" : before + std::string(part);
        const std::string_view line = before.empty() ? part : std::string_view(joined);
        if (!line.empty() && !on_line(line)) return false;
    }
}

std::string progress_line(const Id& id, const Progress& progress) {
    Json params = {{"id", id_value(id)}, {"done", progress.done}};
    if (progress.total) params["total"] = *progress.total;
    if (!progress.message.empty()) params["message"] = progress.message;
    return to_text({{"jsonrpc", "2.0"}, {"method", "progress"}, {"params", std::move(params)}});
}

std::optional<Progress> read_progress(std::string_view line, const Id& id) {
    if (line.size() > progress_bytes_max) return std::nullopt;
    auto value = parse_json(line);
    if (!value) return std::nullopt;
    const Parsed message = parse_message(*std::move(value));
    if (!message) return std::nullopt;
    const auto* notification = std::get_if<Notification>(&*message);
    if (notification == nullptr || notification->method != "progress") return std::nullopt;
    const Json& params = notification->params;
    if (!params.is_object() || params.value("id", Json()) != id_value(id)) return std::nullopt;
    const Json done = params.value("done", Json()), total = params.value("total", Json()),
               text = params.value("message", Json());
    if (!done.is_number()) return std::nullopt;
    Progress progress{.done = done.get<double>()};
    if (total.is_number()) progress.total = total.get<double>();
    if (text.is_string()) progress.message = text.get<std::string>();
    return progress;
}

}  // namespace berth
