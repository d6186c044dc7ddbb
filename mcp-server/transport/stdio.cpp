// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/stdio.h"

#include "base/files.h"
#include "mcp-server/transport/line_buffer.h"
#include "mcp-server/transport/line_writer.h"
#include "mcp-server/transport/workers.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <list>
#include <memory>
#include <semaphore>
#include <stop_token>

namespace berth::mcp {
namespace {

/// Calls in flight may finish within the first, and must give up within the second; then what they
/// said has the third to be written.
constexpr std::chrono::milliseconds finish_max{1'200};
constexpr std::chrono::milliseconds give_up_max{500};
constexpr std::chrono::milliseconds write_max{300};
constexpr std::size_t read_bytes = 64 * 1024;

class StdioSession final : private Exchange {
public:
    StdioSession(const Dispatcher& dispatcher, StdioStreams streams, StdioClient client)
        : dispatcher_(dispatcher),
          client_(std::move(client)),
          input_(std::move(streams.input)),
          signals_(std::move(streams.signals)),
          wake_(::eventfd(0, EFD_CLOEXEC)),
          writer_(std::move(streams.output),
                  [this] {
                      broken_ = true;
                      wake();
                  }),
          workers_({}, [this] { wake(); }) {}

    bool run() {
        workers_.run([this] { read(); });
        read_all_.acquire();
        const bool idle = end();
        (void)writer_.wait_written(write_max);
        return idle;
    }

private:
    /// One open subscriptions/listen. Known to the session like a call, so that it can be
    /// cancelled.
    struct OpenListen {
        Listen listen;
        std::shared_ptr<Session::Running> running;
        std::unique_ptr<Hub::Subscription> subscription;
    };

    bool end() {
        bool idle = workers_.wait_idle(finish_max);
        if (!idle) {
            (void)ending_.request_stop();
            idle = workers_.wait_idle(give_up_max);
        }
        session_->detach();
        for (auto& one : listens_) {
            one.subscription.reset();
            writer_.put(one.listen.end);
        }
        listens_.clear();
        return idle;
    }

    /// What is to happen after some lines have been taken.
    enum class Next : std::uint8_t { read_more, make_room, another_reads, end };

    /// One thread reads at a time. When a call comes that may wait, another one goes on reading,
    /// and this one does the call: so a call is not handed from thread to thread, which takes as
    /// long as all the rest of it.
    void read() {
        for (;;) {
            Next next = take_lines();
            if (next == Next::read_more || next == Next::make_room) next = wait_for_more(next);
            if (next == Next::another_reads) return;
            if (next == Next::end) return read_all_.release();
        }
    }

    Next wait_for_more(Next wish) {
        std::array<pollfd, 3> polled{{{signals_.get(), POLLIN, 0},
                                      {wake_.get(), POLLIN, 0},
                                      {wish == Next::read_more ? input_.get() : -1, POLLIN, 0}}};
        if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return Next::end;
        if (polled[0].revents != 0 || broken_) return Next::end;
        if (polled[1].revents != 0) drain_wakes();
        return polled[2].revents != 0 ? read_some() : Next::read_more;
    }

    /// Takes each whole line, as long as there is room for more calls.
    Next take_lines() {
        while (workers_.has_room()) {
            auto line = lines_.next();
            if (!line) return Next::read_more;
            if (take(*line)) return Next::another_reads;
        }
        return Next::make_room;
    }

    /// Next::end at the end of the input, whose last line may lack its newline.
    Next read_some() {
        const ssize_t got = ::read(input_.get(), chunk_.data(), chunk_.size());
        if (got < 0 && errno == EINTR) return Next::read_more;
        lines_.append(got > 0 ? std::string_view(chunk_.data(), static_cast<std::size_t>(got))
                              : "\n");
        if (got > 0) return Next::read_more;
        return take_lines() == Next::another_reads ? Next::another_reads : Next::end;
    }

    /// On the reading thread: what waits for nothing is answered at once and in order; the rest is
    /// known to the session before the next line, which may cancel it.
    /// True when another thread reads now.
    bool take(const Line& line) {
        if (line.too_long) {
            writer_.put(jsonrpc::error_text(
                std::nullopt,
                {.code = jsonrpc::invalid_request,
                 .message = fmt::format("a line has at most {} bytes", line_bytes_max)}));
            return false;
        }
        if (line.text.find_first_not_of(" \t\r") == std::string::npos) return false;
        auto payload = std::make_shared<Parsed>(jsonrpc::parse(line.text));
        auto running = known(*payload);
        if (!*payload || !Dispatcher::may_wait(**payload)) {
            answer(*payload, std::move(running));
            close_cancelled_listens();
            return false;
        }
        if (workers_.run_at_once([this] { read(); })) {
            answer(*payload, std::move(running));
            return true;
        }
        workers_.run([this, payload, running = std::move(running)]() mutable {
            answer(*payload, std::move(running));
        });
        return false;
    }

    void close_cancelled_listens() {
        std::erase_if(listens_, [](const OpenListen& one) {
            return one.running->cancelled().stop_requested();
        });
    }

    using Parsed = std::expected<jsonrpc::Payload, jsonrpc::Refusal>;

    std::shared_ptr<Session::Running> known(const Parsed& payload) {
        if (!payload || payload->batch || !payload->messages.front()) return nullptr;
        const auto* request = std::get_if<jsonrpc::Request>(&*payload->messages.front());
        return request ? std::make_shared<Session::Running>(session_, request->id) : nullptr;
    }

    void answer(const Parsed& payload, std::shared_ptr<Session::Running> running) {
        Outcome outcome = dispatcher_.answer(payload, {.session = session_,
                                                       .principal = client_.principal,
                                                       .tools = client_.tools,
                                                       .exchange = this,
                                                       .ending = ending_.get_token(),
                                                       .running = running});
        if (outcome.agreed) {
            session_->agree(std::move(outcome.agreed->version),
                            std::move(outcome.agreed->capabilities));
        }
        if (!outcome.text.empty()) writer_.put(std::move(outcome.text));
        if (outcome.agreed) {
            session_->attach(dispatcher_.hub(), dispatcher_.changing_lists(),
                             [this](const std::string& message) { writer_.put(message); });
        }
        if (outcome.listen) open(*std::move(outcome.listen), std::move(running));
    }

    void open(Listen listen, std::shared_ptr<Session::Running> running) {
        if (listens_.size() >= stdio_listens_max) {
            writer_.put(jsonrpc::error_text(
                listen.id,
                {.code = jsonrpc::internal_error,
                 .message = fmt::format("{} listens are open, which is the most; cancel one",
                                        stdio_listens_max)}));
            return;
        }
        writer_.put(listen.acknowledge);
        if (listen.empty()) {
            writer_.put(listen.end);
            return;
        }
        auto subscription = dispatcher_.hub().subscribe(
            listen.interest, listen.id,
            [this](const std::string& message) { writer_.put(message); });
        listens_.push_back({.listen = std::move(listen),
                            .running = std::move(running),
                            .subscription = std::move(subscription)});
    }

    void send(const std::string& message) override { writer_.put(message); }

    void wake() {
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
    }
    void drain_wakes() {
        std::uint64_t count = 0;
        (void)!::read(wake_.get(), &count, sizeof count);
    }

    const Dispatcher& dispatcher_;
    StdioClient client_;
    Fd input_, signals_, wake_;
    std::array<char, read_bytes> chunk_{};
    LineBuffer lines_{line_bytes_max};
    std::stop_source ending_;
    std::atomic<bool> broken_ = false;
    std::binary_semaphore read_all_{0};
    std::shared_ptr<Session> session_ = std::make_shared<Session>();
    std::list<OpenListen> listens_;  // of the reading thread
    LineWriter writer_;
    Workers workers_;  // last, so that its jobs end before what they use
};

}  // namespace

bool serve_stdio(const Dispatcher& dispatcher, StdioStreams streams, StdioClient client) {
    auto session =
        std::make_unique<StdioSession>(dispatcher, std::move(streams), std::move(client));
    if (session->run()) return true;
    (void)session.release();  // its threads still use it, until the process ends
    return false;
}

}  // namespace berth::mcp
