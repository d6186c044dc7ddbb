// SPDX-License-Identifier: Apache-2.0
#include "host/exec/executor.h"

#include "base/files.h"
#include "base/log.h"
#include "host/exec/process_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace berth::exec {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
    Fd read_end, write_end;
};

/// Our own end does not block: what the command does with its end is the command's business.
Result<Pipe> make_pipe(bool we_read) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("make a pipe", errno));
    Pipe pipe{.read_end = Fd(ends[0]), .write_end = Fd(ends[1])};
    if (::fcntl(we_read ? ends[0] : ends[1], F_SETFL, O_NONBLOCK) != 0)
        return fail(system_error("make a pipe", errno));
    return pipe;
}

std::string signal_name(int number) {
    const char* name = ::sigabbrev_np(number);
    return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{}", name);
}

/// One stream: what an answer holds of it, and all of it when that is less.
class Stream {
public:
    Stream(std::size_t bytes_max, const KeptOutputs& outputs, std::string_view container)
        : answer_(bytes_max, [this, &outputs, id = std::string(container)](std::string_view bytes) {
              if (!asked_) {
                  auto begun = outputs.begin(id);
                  if (begun)
                      kept_.emplace(*std::move(begun));
                  else
                      log::warning("an output is not kept", {{"why", begun.error().message}});
              }
              asked_ = true;
              if (kept_) kept_->add(bytes);
          }) {}
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    void add(std::string_view bytes) { answer_.add(bytes); }
    [[nodiscard]] Output output() const {
        Output output = answer_.output();
        if (!kept_) return output;
        output.kept_as = kept_->id();
        output.kept_bytes = kept_->bytes();
        return output;
    }

private:
    OutputBuffer answer_;
    bool asked_ = false;
    std::optional<KeptOutputs::Growing> kept_;
};

/// One command's streams, pumped until it ends.
class Pump {
public:
    Pump(const Running& command, Fd input, Fd output, Fd errors, const Request& request,
         const KeptOutputs& outputs, std::string_view container)
        : command_(command),
          input_(std::move(input)),
          output_(std::move(output)),
          errors_(std::move(errors)),
          rest_(request.input),
          output_kept_(request.output_bytes_max, outputs, container),
          errors_kept_(request.output_bytes_max, outputs, container) {
        if (rest_.empty()) input_.reset();
    }

    /// True when the command has reported its end; false when `deadline` came first or `wake` did.
    bool until(Clock::time_point deadline, int wake) {
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            if (left.count() <= 0) return false;
            std::array<pollfd, 5> polled{{{command_.reports(), POLLIN, 0},
                                          {output_.get(), POLLIN, 0},
                                          {errors_.get(), POLLIN, 0},
                                          {input_.get(), POLLOUT, 0},
                                          {wake, POLLIN, 0}}};
            if (::poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0) continue;
            if (polled[1].revents != 0) take(output_, output_kept_);
            if (polled[2].revents != 0) take(errors_, errors_kept_);
            if (polled[3].revents != 0) give();
            if (polled[0].revents != 0) break;
            if (polled[4].revents != 0) return false;
        }
        drain();
        return true;
    }
    /// What is in the pipes now; a background process may hold them open for ever.
    void drain() {
        constexpr int reads_max =
            32;  // more than a full pipe takes; a writer that goes on does not keep us
        for (int reads = 0; reads < reads_max && take(output_, output_kept_); ++reads) {
        }
        for (int reads = 0; reads < reads_max && take(errors_, errors_kept_); ++reads) {
        }
    }
    [[nodiscard]] Output output() const { return output_kept_.output(); }
    [[nodiscard]] Output errors() const { return errors_kept_.output(); }

private:
    static bool take(Fd& from, Stream& into) {
        std::array<char, 65536>
            chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): read(2) fills it
        if (!from) return false;
        const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
        if (got > 0) into.add({chunk.data(), static_cast<std::size_t>(got)});
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) from.reset();
        return got > 0;
    }
    void give() {
        const ssize_t gave = ::write(input_.get(), rest_.data(), rest_.size());
        if (gave > 0) rest_.remove_prefix(static_cast<std::size_t>(gave));
        const bool refused = gave < 0 && errno != EAGAIN && errno != EINTR;
        if (refused || rest_.empty()) input_.reset();
    }

    const Running& command_;
    Fd input_, output_, errors_;
    std::string_view rest_;
    Stream output_kept_, errors_kept_;
};

}  // namespace

Result<Outcome> Executor::run(std::string_view id, const Request& request,
                              const std::stop_token& cancelled) {
    auto input = BERTH_TRY(make_pipe(false));
    auto output = BERTH_TRY(make_pipe(true));
    auto errors = BERTH_TRY(make_pipe(true));
    const auto command = BERTH_TRY(agents_.launch(id, request.launch,
                                                  {.input = input.read_end.get(),
                                                   .output = output.write_end.get(),
                                                   .errors = errors.write_end.get()},
                                                  cancelled));
    const auto begun = Clock::now();  // its time does not pass while it waits to be started
    input.read_end.reset();
    output.write_end.reset();
    errors.write_end.reset();

    const Fd wake(::eventfd(0, EFD_CLOEXEC));
    const std::stop_callback on_cancel(cancelled,
                                       [&wake] { (void)::eventfd_write(wake.get(), 1); });
    Pump pump(command, std::move(input.write_end), std::move(output.read_end),
              std::move(errors.read_end), request, outputs_, id);
    Outcome outcome;
    if (!pump.until(begun + request.timeout, wake.get())) {
        outcome.timed_out = !cancelled.stop_requested();
        (void)agents_.await_end_of_hold(id, {});  // until then nothing inside ends
        if (const auto killed = kill_descendants(command.supervisor()); !killed)
            return fail(
                Error(killed.error())
                    .in(outcome.timed_out ? "the command's time was up" : "the call was cancelled")
                    .next("if the container is paused, they end when it goes on: "
                          "container_resume"));
        pump.drain();
    }
    const int status = BERTH_TRY(command.exit_status());
    if (cancelled.stop_requested())
        return fail(ErrorCode::timed_out,
                    "the call was cancelled, and the command and all it started were killed");
    if (WIFEXITED(status))
        outcome.exit_code = WEXITSTATUS(status);
    else
        outcome.signal = signal_name(WTERMSIG(status));
    outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
    outcome.output = pump.output();
    outcome.errors = pump.errors();
    return outcome;
}

}  // namespace berth::exec
