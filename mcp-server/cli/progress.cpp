// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/progress.h"

#include "mcp-server/cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

namespace berth::cli {
namespace {

constexpr std::string_view erase_line = "\r\x1b[2K";
constexpr std::string_view spinner = "|/-\\";
constexpr std::size_t bar_width = 24;
constexpr std::chrono::milliseconds frame_time{100};
constexpr double percent_of_one = 100;

/// The part that is done, 0 to 1; nothing when the numbers do not say.
std::optional<double> part_done(const Progress& progress) {
    if (!progress.total || !std::isfinite(*progress.total) || *progress.total <= 0) return {};
    if (!std::isfinite(progress.done)) return {};
    return std::clamp(progress.done / *progress.total, 0.0, 1.0);
}

}  // namespace

std::string ProgressLine::bar(std::string_view message) const {
    const double part = part_done(latest_).value_or(0);
    const auto filled = static_cast<std::size_t>(part * static_cast<double>(bar_width));
    const std::string done(filled, '#');
    const std::string open(bar_width - filled, '.');
    return fmt::format("[{}{}] {:3.0f}%  {}", done, open, std::floor(part * percent_of_one),
                       message);
}

std::string ProgressLine::draw(std::chrono::milliseconds elapsed) {
    if (!look_.moves || elapsed < quiet_time) return "";
    const auto message = latest_.message.empty() ? doing_ : harmless(latest_.message);
    std::string text;
    if (part_done(latest_)) {
        text = bar(message);
    } else {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(elapsed).count();
        text = fmt::format("{} {}  {} s", spinner[frame_++ % spinner.size()], message, seconds);
    }
    drawn_ = true;
    // A line that reaches the last column would wrap, and only its end would be erased.
    const auto columns = look_.columns > 1 ? look_.columns - 1 : look_.columns;
    return std::string(erase_line) + shortened(text, columns);
}

std::string ProgressLine::erase() {
    return std::exchange(drawn_, false) ? std::string(erase_line) : "";
}

ProgressMeter::ProgressMeter(std::string doing, const Look& look, std::ostream& err)
    : err_(err), line_(std::move(doing), look) {
    if (look.moves) thread_ = std::jthread([this](const std::stop_token& over) { run(over); });
}

ProgressMeter::~ProgressMeter() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
    err_ << line_.erase() << std::flush;
}

void ProgressMeter::report(const Progress& progress) {
    const std::scoped_lock lock(mutex_);
    line_.report(progress);
}

void ProgressMeter::run(const std::stop_token& over) {
    const auto started = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    auto wait = ProgressLine::quiet_time;
    while (!wake_.wait_for(lock, over, wait, [&over] { return over.stop_requested(); })) {
        const auto elapsed = std::chrono::steady_clock::now() - started;
        err_ << line_.draw(std::chrono::floor<std::chrono::milliseconds>(elapsed)) << std::flush;
        wait = frame_time;
    }
}

}  // namespace berth::cli
