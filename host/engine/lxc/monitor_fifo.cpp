// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/monitor_fifo.h"

#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

/// struct lxc_msg of liblxc's monitor.h, from 1.0 to 6.0; smaller than a pipe's atomic write.
struct Message {
    int type;
    std::array<char, NAME_MAX + 1> name;
    int value;
};
static_assert(sizeof(Message) == 264);
constexpr int type_exit_code = 2;  // the others tell of states

constexpr std::string_view fifo_name = "monitor-fifo";

}  // namespace

fs::path MonitorFifo::directory(const fs::path& lxc_path) {
    return "/run/lxc" / lxc_path.relative_path();
}

void MonitorFifo::remove(const fs::path& lxc_path) {
    const auto path = directory(lxc_path);
    (void)::unlink((path / fifo_name).c_str());
    remove_empty_directories(path, "/run");
}

Result<std::unique_ptr<MonitorFifo>> MonitorFifo::listen(const fs::path& lxc_path) {
    BERTH_TRY(make_directories(directory(lxc_path), 0755));
    const auto path = directory(lxc_path) / fifo_name;
    const auto failed = [&path](int number) {
        return fail(system_error(fmt::format("listen to liblxc at '{}'", path.string()), number));
    };
    if (::mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) return failed(errno);
    // Open for writing too, so that it has no end when no monitor has it open.
    Fd fifo(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
    struct stat status{};
    if (!fifo || ::fstat(fifo.get(), &status) != 0) return failed(errno);
    if (!S_ISFIFO(status.st_mode)) return failed(EEXIST);
    Fd stopped(::eventfd(0, EFD_CLOEXEC));
    if (!stopped) return failed(errno);
    return std::unique_ptr<MonitorFifo>(new MonitorFifo(std::move(fifo), std::move(stopped)));
}

MonitorFifo::MonitorFifo(Fd fifo, Fd stopped)
    : fifo_(std::move(fifo)), stopped_(std::move(stopped)), thread_([this] { run(); }) {}

MonitorFifo::~MonitorFifo() {
    (void)::eventfd_write(stopped_.get(), 1);
}

void MonitorFifo::run() {
    std::array<pollfd, 2> polled{{{fifo_.get(), POLLIN, 0}, {stopped_.get(), POLLIN, 0}}};
    while (::poll(polled.data(), polled.size(), -1) < 0 || polled[1].revents == 0) {
        const std::lock_guard lock(mutex_);
        read_all();
    }
}

void MonitorFifo::read_all() {
    Message message{};
    while (::read(fifo_.get(), &message, sizeof(message)) == sizeof(message)) {
        if (message.type != type_exit_code) continue;
        const auto length = ::strnlen(message.name.data(), message.name.size());
        statuses_.emplace(std::string(message.name.data(), length), message.value);
    }
}

std::optional<int> MonitorFifo::first_of(std::string_view id) {
    const std::lock_guard lock(mutex_);
    read_all();
    const auto found = statuses_.find(id);
    return found == statuses_.end() ? std::nullopt : std::optional(found->second);
}

void MonitorFifo::forget(std::string_view id) {
    const std::lock_guard lock(mutex_);
    read_all();
    if (const auto found = statuses_.find(id); found != statuses_.end()) statuses_.erase(found);
}

}  // namespace berth::engine
