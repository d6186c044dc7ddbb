// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/stdio.h"

#include "base/files.h"
#include "mcp-server/transport/line_buffer.h"
#include "mcp-server/transport/workers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <stop_token>

namespace berth::mcp {
namespace {

/// Calls in flight may finish within the first, and must give up within the second.
constexpr std::chrono::milliseconds finish_max{1'500};
constexpr std::chrono::milliseconds give_up_max{500};
constexpr std::size_t read_bytes = 64 * 1024;

class StdioSession {
public:
    StdioSession(const Dispatcher& dispatcher, StdioStreams streams)
        : dispatcher_(dispatcher),
          streams_(std::move(streams)),
          wake_(::eventfd(0, EFD_CLOEXEC)),
          workers_(stdio_calls_max, [this] { wake(); }) {}

    bool run() {
        while (!broken_) {
            const bool read_more = take_lines();
            std::array<pollfd, 3> polled{{{streams_.signals.get(), POLLIN, 0},
                                          {wake_.get(), POLLIN, 0},
                                          {read_more ? streams_.input.get() : -1, POLLIN, 0}}};
            if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) break;
            if (polled[0].revents != 0) break;
            if (polled[1].revents != 0) drain_wakes();
            if (polled[2].revents != 0 && !read_some()) break;
        }
        if (workers_.wait_idle(finish_max)) return true;
        (void)ending_.request_stop();
        return workers_.wait_idle(give_up_max);
    }

private:
    /// Starts a call for each whole line; false when there is no room for more.
    bool take_lines() {
        while (workers_.has_room()) {
            auto line = lines_.next();
            if (!line) return true;
            workers_.run([this, line = *std::move(line)] { answer(line); });
        }
        return false;
    }

    /// False at the end of the input, whose last line may lack its newline.
    bool read_some() {
        const ssize_t got = ::read(streams_.input.get(), chunk_.data(), chunk_.size());
        if (got < 0 && errno == EINTR) return true;
        lines_.append(got > 0 ? std::string_view(chunk_.data(), static_cast<std::size_t>(got))
                              : "\n");
        if (got > 0) return true;
        (void)take_lines();
        return false;
    }

    void answer(const Line& line) {
        if (line.too_long) {
            send(jsonrpc::error_text(
                std::nullopt,
                {.code = jsonrpc::invalid_request,
                 .message = fmt::format("a line has at most {} bytes", line_bytes_max)}));
            return;
        }
        if (line.text.find_first_not_of(" \t\r") == std::string::npos) return;
        RequestContext context{.call = {.caller = "mcp-stdio", .cancelled = ending_.get_token()}};
        {
            const std::scoped_lock lock(version_mutex_);
            context.session_version = version_;
        }
        Outcome outcome = dispatcher_.answer(line.text, context);
        if (!outcome.agreed_version.empty()) {
            const std::scoped_lock lock(version_mutex_);
            version_ = std::move(outcome.agreed_version);
        }
        if (!outcome.text.empty()) send(std::move(outcome.text));
    }

    void send(std::string text) {
        text += '\n';
        const std::scoped_lock lock(output_mutex_);
        if (broken_ || write_all(streams_.output.get(), text)) return;
        broken_ = true;
        wake();
    }

    void wake() {
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
    }
    void drain_wakes() {
        std::uint64_t count = 0;
        (void)!::read(wake_.get(), &count, sizeof count);
    }

    const Dispatcher& dispatcher_;
    StdioStreams streams_;
    Fd wake_;
    std::array<char, read_bytes> chunk_{};
    LineBuffer lines_{line_bytes_max};
    std::stop_source ending_;
    std::mutex version_mutex_, output_mutex_;
    std::string version_;  // what initialize agreed on
    std::atomic<bool> broken_ = false;
    Workers workers_;  // last, so that its jobs end before what they use
};

}  // namespace

bool serve_stdio(const Dispatcher& dispatcher, StdioStreams streams) {
    auto session = std::make_unique<StdioSession>(dispatcher, std::move(streams));
    if (session->run()) return true;
    (void)session.release();  // its threads still use it, until the process ends
    return false;
}

}  // namespace berth::mcp
