// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/launched.h"

#include "host/engine/lxc/compat_filter.h"
#include "host/engine/lxc/way_in_protocol.h"

#include <fcntl.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ranges>
#include <string_view>
#include <vector>

namespace berth::engine {
namespace {

constexpr std::size_t answer_on = 0;
constexpr std::size_t program = 1;
constexpr std::size_t connection = 2;

/// What the child of attach() needs; it may make system calls and nothing else.
struct Injection {
    int program;
    int connection;
};

int become_program(void* payload) {
    const auto* injection = static_cast<const Injection*>(payload);
    // A second fork makes the container's init the parent, so that init reaps the program and a
    // restart of berthd leaves nobody waiting for it.
    const pid_t pid = ::fork();
    if (pid != 0) ::_exit(pid < 0 ? 1 : 0);
    if (::dup2(injection->connection, way_in_connection_fd) < 0 || !refuse_32bit_families())
        ::_exit(1);
    std::array<char, 12> name{"berth-agent"};
    std::array<char*, 2> argv{name.data(), nullptr};
    std::array<char*, 1> environment{nullptr};
    (void)::fexecve(injection->program, argv.data(), environment.data());
    ::_exit(1);
}

bool start(lxc_container* container) {
    // The monitor keeps this name: whoever ends all that is called berthd means no container.
    (void)::prctl(PR_SET_NAME, "berth-monitor");
    (void)container->want_daemonize(container, true);
    // What the monitor may no longer do, it does not do.
    return refuse_32bit_families() && container->start(container, 0, nullptr);
}

bool enter(lxc_container* container, const std::vector<Fd>& descriptors) {
    if (descriptors.size() <= connection) return false;
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    Injection injection{.program = descriptors[program].get(),
                        .connection = descriptors[connection].get()};
    lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
    options.env_policy = LXC_ATTACH_CLEAR_ENV;
    options.stdin_fd = nothing.get();
    options.stdout_fd = nothing.get();
    options.stderr_fd = nothing.get();
    std::array<char, 2> root{"/"};
    options.initial_cwd = root.data();
    pid_t pid = -1;
    if (container->attach(container, become_program, &injection, &options, &pid) != 0) return false;
    int status = -1;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0;
}

std::string answer_to(const std::string& lxc_path, const Packet& request) {
    const std::string failed(1, static_cast<char>(Outcome::failed));
    std::vector<std::string> texts;
    for (const auto part : std::views::split(std::string_view(request.bytes).substr(1), '\0'))
        texts.emplace_back(std::string_view(part));
    // Behind the last NUL there is one empty text more.
    lxc_container* container = ::lxc_container_new(texts.front().c_str(), lxc_path.c_str());
    if (container == nullptr) return failed;
    for (std::size_t at = 1; at + 2 < texts.size(); at += 2) {
        if (!container->set_config_item(container, texts[at].c_str(), texts[at + 1].c_str()))
            return static_cast<char>(Outcome::unknown_key) + texts[at] + " = " + texts[at + 1];
    }
    const bool done = static_cast<Wish>(request.bytes.front()) == Wish::start
                          ? start(container)
                          : enter(container, request.descriptors);
    return done ? std::string(1, static_cast<char>(Outcome::done)) : failed;
}

}  // namespace

void fulfil(const std::string& lxc_path, Packet request) {
    if (request.descriptors.empty()) return;
    (void)send_packet(request.descriptors[answer_on].get(), answer_to(lxc_path, request));
}

}  // namespace berth::engine
