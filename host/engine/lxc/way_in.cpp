// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/way_in.h"

#include "base/bind_in.h"
#include "base/files.h"
#include "base/packets.h"
#include "host/engine/lxc/way_in_protocol.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t helper_bytes_max = 64UL * 1024 * 1024;
constexpr std::string_view seen_prefix = "way-in-";
constexpr int meet_ms_max = 10'000;  // on a machine where everything starts at once

std::string name_of(std::string_view path) {
    return std::string(path.substr(std::string_view(way_in_directory).size() + 1));
}

/// Listens on a socket in `directory` that `owner` alone may connect to.
Result<Fd> listen_in(const fs::path& directory, uid_t owner) {
    const Fd place(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    Fd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!place || !listener) return fail(system_error("make a container's way in", errno));
    const std::string name = name_of(way_in_socket);
    BERTH_TRY(bind_in(place, name, listener, 0600));
    constexpr int on = 1;  // of connections, too
    if (::setsockopt(listener.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        ::fchownat(place.get(), name.c_str(), owner, owner, 0) != 0 ||
        ::listen(listener.get(), 2) != 0)
        return fail(system_error("listen at a container's way in", errno));
    return listener;
}

/// False when the container ends before, or takes too long.
bool becomes_readable(const Fd& socket, const Fd& ended) {
    std::array<pollfd, 2> polled{{{socket.get(), POLLIN, 0}, {ended.get(), POLLIN, 0}}};
    return ::poll(polled.data(), polled.size(), meet_ms_max) > 0 && polled[0].revents != 0;
}

Fd accept_in_time(const Fd& listener, const Fd& ended) {
    if (!listener || !becomes_readable(listener, ended)) return {};
    return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

}  // namespace

Result<WayIn> WayIn::make(const fs::path& place, fs::path helper) {
    struct statvfs disk{};
    if (::statvfs(place.c_str(), &disk) != 0)
        return fail(system_error(fmt::format("look at '{}'", place.string()), errno));
    if ((disk.f_flag & ST_NOEXEC) != 0) return WayIn(std::move(helper));
    const auto program = BERTH_TRY(read_file(helper, helper_bytes_max));
    const fs::path copy = place / name_of(way_in_program);
    BERTH_TRY(write_file_atomically(copy, program, {.mode = 0755}));
    return WayIn(copy);
}

Result<fs::path> WayIn::prepare(std::string_view id, const fs::path& directory,
                                std::int64_t uid_base) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory, none)) {
        const bool earlier = entry.path().filename().native().starts_with(seen_prefix);
        if (earlier) BERTH_TRY(remove_tree(entry.path()));
    }
    // Of a name that none had before: a start that a killed berthd had begun may not be over yet,
    // and what comes of it finds nobody to connect to.
    const fs::path seen = directory / fmt::format("{}{}", seen_prefix, random_hex(4));
    BERTH_TRY(make_directories(seen, 0755));
    // What the helper is mounted on.
    BERTH_TRY(write_file_atomically(seen / name_of(way_in_program), "", {.durable = false}));
    auto listener = BERTH_TRY(listen_in(seen, static_cast<uid_t>(uid_base)));
    const std::lock_guard lock(mutex_);
    sockets_.insert_or_assign(std::string(id),
                              Sockets{.listener = std::move(listener), .place = seen});
    return seen;
}

Fd WayIn::take(std::string_view id, Fd Sockets::* which) {
    const std::lock_guard lock(mutex_);
    const auto found = sockets_.find(id);
    return found == sockets_.end() ? Fd() : std::exchange(found->second.*which, Fd());
}

Result<pid_t> WayIn::meet(std::string_view id, const Fd& ended) {
    const Fd listener = take(id, &Sockets::listener);
    // Both are ours, because nothing else has run inside before.
    Fd init = accept_in_time(listener, ended);
    Fd left = accept_in_time(listener, ended);
    const auto said =
        left && becomes_readable(left, ended) ? receive_packet(left.get(), 1) : std::nullopt;
    if (!init || !said || said->sender <= 1)
        return fail(ErrorCode::unavailable, "its first process does not begin");
    if (const int problem = static_cast<unsigned char>(said->bytes.front()); problem != 0)
        return fail(make_error(ErrorCode::unavailable,
                               fmt::format("it has no {} that can be executed: {}", init_program,
                                           std::generic_category().message(problem)))
                        .next("restore a snapshot with snapshot_restore, or create another"));
    const std::lock_guard lock(mutex_);
    auto& sockets = sockets_[std::string(id)];
    (void)::unlink((sockets.place / name_of(way_in_socket)).c_str());  // nobody else is to come
    sockets.init = std::move(init);
    sockets.left = std::move(left);
    return said->sender;
}

bool WayIn::tell_ready(std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto found = sockets_.find(id);
    if (found == sockets_.end()) return false;
    found->second.ready = true;
    return send_packet(found->second.init.get(), "\1");
}

void WayIn::begin(std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto found = sockets_.find(id);
    if (found != sockets_.end() && found->second.ready) found->second.init.reset();
}

bool WayIn::hand(std::string_view id, const Fd& program, const Fd& connection) {
    const Fd left = take(id, &Sockets::left);
    const std::array descriptors{program.get(), connection.get()};
    static_assert(descriptors.size() == way_in_descriptors);
    return left && send_packet(left.get(), "\1", descriptors);
}

void WayIn::forget(std::string_view id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = sockets_.find(id); found != sockets_.end()) sockets_.erase(found);
}

}  // namespace berth::engine
