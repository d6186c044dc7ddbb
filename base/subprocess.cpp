// SPDX-License-Identifier: Apache-2.0
#include "base/subprocess.h"

#include "base/descriptor_limit.h"
#include "base/fd.h"
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <ranges>

namespace berth {
namespace {

struct Pipe {
    Fd read_end, write_end;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("make a pipe", errno));
    return Pipe{.read_end = Fd(ends[0]), .write_end = Fd(ends[1])};
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    for (const auto& text : strings)
        out.push_back(const_cast<char*>(text.c_str()));  // NOLINT: exec's signature
    out.push_back(nullptr);
    return out;
}

/// Where the child's own PATH finds its program. Ours is of no use: berthd runs with an empty one.
std::string resolve(const SubprocessSpec& spec) {
    const std::string& program = spec.argv.front();
    if (program.contains('/')) return program;
    for (const std::string& assignment : spec.environment) {
        if (!assignment.starts_with("PATH=")) continue;
        for (const auto part : std::views::split(std::string_view(assignment).substr(5), ':')) {
            std::string candidate = fmt::format("{}/{}", std::string_view(part), program);
            if (::access(candidate.c_str(), X_OK) == 0) return candidate;
        }
    }
    return program;
}

/// Starts the child in a process group of its own with exactly these three streams.
Result<pid_t> spawn(const SubprocessSpec& spec, int input, int output, int errors) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    (void)::posix_spawn_file_actions_init(&actions);
    (void)::posix_spawnattr_init(&attributes);
    (void)::posix_spawn_file_actions_adddup2(&actions, input, 0);
    (void)::posix_spawn_file_actions_adddup2(&actions, output, 1);
    (void)::posix_spawn_file_actions_adddup2(&actions, errors, 2);
    (void)::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    sigset_t none;
    sigset_t defaults;
    (void)::sigemptyset(&none);
    (void)::sigemptyset(&defaults);
    (void)::sigaddset(&defaults, SIGPIPE);
    (void)::posix_spawnattr_setsigmask(&attributes, &none);
    (void)::posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)::posix_spawnattr_setpgroup(&attributes, 0);
    (void)::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const auto argv = pointers_to(spec.argv);
    const auto environment = pointers_to(spec.environment);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, resolve(spec).c_str(), &actions, &attributes, argv.data(),
                                    environment.data());
    (void)::posix_spawn_file_actions_destroy(&actions);
    (void)::posix_spawnattr_destroy(&attributes);
    if (error != 0) return fail(system_error(fmt::format("run '{}'", spec.argv.front()), error));
    usual_descriptor_limit(pid);  // posix_spawn(3) cannot
    return pid;
}

/// Feeds the child and collects what it writes, until both its streams close or time is up.
class Conversation {
public:
    Conversation(const SubprocessSpec& spec, Pipe& input, Pipe& output, Pipe& errors)
        : spec_(spec), input_(input), output_(output), errors_(errors), rest_(spec.input) {}

    Result<> run(SubprocessResult& result) {
        const auto deadline = std::chrono::steady_clock::now() + spec_.timeout;
        if (rest_.empty()) input_.write_end.reset();
        while (output_.read_end || errors_.read_end) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0)
                return fail(ErrorCode::timed_out,
                            fmt::format("'{}' took longer than {} ms", spec_.argv.front(),
                                        spec_.timeout.count()));
            std::array<pollfd, 3> polled{{{output_.read_end.get(), POLLIN, 0},
                                          {errors_.read_end.get(), POLLIN, 0},
                                          {input_.write_end.get(), POLLOUT, 0}}};
            if (::poll(polled.data(), polled.size(), static_cast<int>(left.count())) < 0 &&
                errno != EINTR)
                return fail(system_error("poll", errno));
            if (polled[0].revents != 0) BERTH_TRY(take(output_.read_end, result.output));
            if (polled[1].revents != 0) BERTH_TRY(take(errors_.read_end, result.errors));
            if (polled[2].revents != 0) give();
        }
        return {};
    }

private:
    Result<> take(Fd& from, std::string& into) {
        std::array<char, 16384> chunk{};
        const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
        if (got < 0) return errno == EINTR ? Result<>{} : fail(system_error("read", errno));
        if (got == 0) from.reset();
        into.append(chunk.data(), static_cast<std::size_t>(got));
        if (into.size() > spec_.output_bytes_max)
            return fail(ErrorCode::quota_exceeded,
                        fmt::format("'{}' wrote more than {} bytes", spec_.argv.front(),
                                    spec_.output_bytes_max));
        return {};
    }
    void give() {
        const ssize_t gave = ::write(input_.write_end.get(), rest_.data(), rest_.size());
        if (gave > 0) rest_.remove_prefix(static_cast<std::size_t>(gave));
        const bool gone =
            gave < 0 && errno != EINTR && errno != EAGAIN;  // it may stop reading when it likes
        if (gone || rest_.empty()) input_.write_end.reset();
    }

    const SubprocessSpec& spec_;
    Pipe &input_, &output_, &errors_;
    std::string_view rest_;
};

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<SubprocessResult> run_subprocess(const SubprocessSpec& spec) {
    // A child that stops reading must not end us; a pipe knows no MSG_NOSIGNAL. spawn() gives the
    // child the default back.
    (void)::signal(SIGPIPE, SIG_IGN);
    auto input = BERTH_TRY(make_pipe());
    auto output = BERTH_TRY(make_pipe());
    auto errors = BERTH_TRY(make_pipe());
    (void)::fcntl(input.write_end.get(), F_SETFL, O_NONBLOCK);
    const int child_output = spec.inherit_output ? STDERR_FILENO : output.write_end.get();
    const int child_errors = spec.inherit_output ? STDERR_FILENO : errors.write_end.get();
    const pid_t pid = BERTH_TRY(spawn(spec, input.read_end.get(), child_output, child_errors));
    input.read_end.reset();
    output.write_end.reset();
    errors.write_end.reset();
    SubprocessResult result;
    auto talked = Conversation(spec, input, output, errors).run(result);
    if (talked && spec.inherit_output)
        talked = [&]() -> Result<> {
            const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
            pollfd polled{process.get(), POLLIN, 0};
            const auto bound = static_cast<int>(
                std::min<std::int64_t>(spec.timeout.count(), std::numeric_limits<int>::max()));
            if (::poll(&polled, 1, bound) > 0) return {};
            return fail(ErrorCode::timed_out, fmt::format("'{}' took longer than {} ms",
                                                          spec.argv.front(), spec.timeout.count()));
        }();
    if (!talked) (void)::kill(-pid, SIGKILL);
    result.exit_code = wait_for(pid);
    if (!talked) return fail(talked.error());
    return result;
}

Result<std::string> run_checked(const SubprocessSpec& spec) {
    constexpr std::size_t complaint_bytes_max = 2000;
    auto result = BERTH_TRY(run_subprocess(spec));
    if (result.exit_code == 0) return std::move(result.output);
    std::string complaint = result.errors;
    if (complaint.size() > complaint_bytes_max)
        complaint = "…" + complaint.substr(complaint.size() - complaint_bytes_max);
    while (!complaint.empty() && complaint.back() == '\n') complaint.pop_back();
    return fail(ErrorCode::unavailable, fmt::format("'{}' ended with {}: {}", spec.argv.front(),
                                                    result.exit_code, complaint));
}

}  // namespace berth
