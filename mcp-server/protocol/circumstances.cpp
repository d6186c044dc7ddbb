// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/protocol/circumstances.h"

#include <array>

namespace berth::mcp {
namespace {

constexpr std::array<std::string_view, 8> level_names = {
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"};
constexpr const char* logger = "berth";

std::string notification(std::string_view method, Json params) {
    return to_text({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

/// A whole number is sent as one.
Json number(double value) {
    const auto whole = static_cast<std::int64_t>(value);
    return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

}  // namespace

AnyStop::AnyStop() = default;

void AnyStop::add(const std::stop_token& token) {
    callbacks_.emplace_back(token, [this] { (void)source_.request_stop(); });
}

std::string_view name_of(LogLevel level) {
    return level_names.at(static_cast<std::size_t>(level));
}

std::optional<LogLevel> log_level_of(std::string_view name) {
    for (std::size_t at = 0; at < level_names.size(); ++at) {
        if (level_names.at(at) == name) return static_cast<LogLevel>(at);
    }
    return std::nullopt;
}

void Messenger::report(const Progress& progress) {
    const std::scoped_lock lock(mutex_);
    if (!wants_progress()) return;
    const auto now = std::chrono::steady_clock::now();
    const bool done = progress.total && progress.done >= *progress.total;
    if (last_ && progress.done <= *last_) return;  // it must increase
    if (last_ && !done && now - last_at_ < progress_interval) return;
    last_ = progress.done;
    last_at_ = now;
    Json params = {{"progressToken", token_}, {"progress", number(progress.done)}};
    if (progress.total) params["total"] = number(*progress.total);
    if (!progress.message.empty()) params["message"] = progress.message;
    exchange_->send(notification("notifications/progress", std::move(params)));
}

void Messenger::log(LogLevel level, const Json& data) {
    const std::scoped_lock lock(mutex_);
    if (exchange_ == nullptr || !level_ || level < *level_) return;
    exchange_->send(notification("notifications/message",
                                 {{"level", name_of(level)}, {"logger", logger}, {"data", data}}));
}

void Messenger::close() {
    const std::scoped_lock lock(mutex_);
    exchange_ = nullptr;
}

}  // namespace berth::mcp
