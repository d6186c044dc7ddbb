// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/launcher.h"

#include "base/descriptor_limit.h"
#include "base/files.h"
#include "base/packets.h"
#include "host/engine/lxc/launched.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <set>
#include <vector>

namespace berth::engine {
namespace {

constexpr std::size_t request_bytes_max = 128 * 1024;  // less than a socket's buffer
constexpr std::size_t answer_bytes_max = 1024;
constexpr int answer_ms_max = 120'000;  // liblxc itself knows no end

std::string encode(Wish wish, std::string_view id, const LxcConfig& config) {
    std::string request(1, static_cast<char>(wish));
    const auto put = [&request](std::string_view text) { (request += text) += '\0'; };
    put(id);
    for (const auto& [key, value] : config) {
        put(key);
        put(value);
    }
    return request;
}

/// The fork of a berthd that works has copies of its listening sockets, and as long as one is open,
/// the port is taken and whoever waits for an end of a connection waits.
void close_all_but(std::initializer_list<int> kept) {
    unsigned first = STDERR_FILENO + 1;
    for (const int one : std::set(kept)) {
        const auto number = static_cast<unsigned>(one);
        if (number > first) (void)::close_range(first, number - 1, 0);
        first = std::max(first, number + 1);
    }
    (void)::close_range(first, std::numeric_limits<unsigned>::max(), 0);
}

/// The process: one child for each request, which does it and answers it by itself.
[[noreturn]] void serve(Fd line, const std::string& lxc_path, std::optional<int> kept) {
    close_all_but({line.get(), kept.value_or(line.get())});
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) (void)::signal(number, SIG_DFL);
    (void)::signal(SIGCHLD, SIG_IGN);  // nobody waits for the children
    (void)::setpgid(0, 0);             // a terminal's Ctrl-C is for berthd
    (void)::prctl(PR_SET_NAME, "berth-launcher");
    usual_descriptor_limit(0);  // for the monitors and helpers of containers
    while (auto request = receive_packet(line.get(), request_bytes_max)) {
        const pid_t child = ::fork();
        if (child != 0) continue;  // when there is none, nobody answers, and that is the answer
        (void)::signal(SIGCHLD, SIG_DFL);
        line.reset();
        fulfil(lxc_path, std::move(*request));
        ::_exit(0);
    }
    ::_exit(0);
}

}  // namespace

Result<std::unique_ptr<Launcher>> Launcher::make(std::string lxc_path, std::optional<int> kept) {
    std::unique_ptr<Launcher> launcher(new Launcher(std::move(lxc_path), kept));
    BERTH_TRY(launcher->launch());
    return launcher;
}

Launcher::~Launcher() {
    end();
}

void Launcher::end() noexcept {
    line_.reset();
    if (process_ <= 0) return;
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
    process_ = -1;
}

Result<> Launcher::launch() {
    end();
    auto pair = BERTH_TRY(packet_pair());
    const pid_t pid = ::fork();
    if (pid < 0) return fail(system_error("start the process that starts containers", errno));
    if (pid == 0) serve(std::move(pair.theirs), lxc_path_, kept_);
    process_ = pid;
    line_ = std::move(pair.ours);
    return {};
}

bool Launcher::send(std::string_view request, std::span<const int> descriptors) {
    const std::scoped_lock lock(mutex_);
    if (send_packet(line_.get(), request, descriptors)) return true;
    // Somebody killed it, or the kernel did for want of memory.
    if (!launch()) return false;
    if (told_) told_();
    return send_packet(line_.get(), request, descriptors);
}

Result<> Launcher::ask(std::string request, std::initializer_list<int> descriptors) {
    if (request.size() > request_bytes_max)
        return fail(ErrorCode::unsupported,
                    fmt::format("the container's configuration has {} bytes; at most {} are "
                                "possible",
                                request.size(), request_bytes_max));
    auto answer = BERTH_TRY(packet_pair());
    std::vector<int> sent{answer.theirs.get()};
    sent.insert(sent.end(), descriptors);
    if (!send(request, sent))
        return fail(ErrorCode::unavailable, "the process that starts containers does not run");
    answer.theirs.reset();
    pollfd polled{answer.ours.get(), POLLIN, 0};
    if (::poll(&polled, 1, answer_ms_max) == 0)
        return fail(ErrorCode::timed_out, "liblxc does not come to an end");
    const auto answered = receive_packet(answer.ours.get(), answer_bytes_max);
    if (!answered)
        return fail(ErrorCode::unavailable, "the process that starts containers was killed");
    const std::string_view text = answered->bytes;
    switch (static_cast<Outcome>(text.front())) {
        case Outcome::done:
            return {};
        case Outcome::unknown_key:
            return fail(ErrorCode::unsupported,
                        fmt::format("this liblxc does not understand {}", text.substr(1)));
        case Outcome::failed:
            break;
    }
    return fail(ErrorCode::unavailable, "liblxc failed");
}

Result<> Launcher::start(std::string_view id, const LxcConfig& config) {
    return ask(encode(Wish::start, id, config), {});
}

Result<> Launcher::enter(std::string_view id, const LxcConfig& config, const Fd& program,
                         const Fd& connection) {
    return ask(encode(Wish::enter, id, config), {program.get(), connection.get()});
}

}  // namespace berth::engine
