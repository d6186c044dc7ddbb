// SPDX-License-Identifier: Apache-2.0
#include "sentinel/app/upgrade.h"

#include "base/files.h"
#include "base/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace berth::sentinel {
namespace {

// Messages of a SOCK_SEQPACKET socket: a word, what it needs, and descriptors. The kernel carries
// at most 253 descriptors in one (SCM_MAX_FD).
constexpr std::size_t descriptors_max = 200;
constexpr std::size_t message_bytes_max = 256;
constexpr std::string_view word_end = "end", word_ready = "ready", word_alone = "alone";

struct Message {
    std::string text;
    std::vector<Fd> descriptors;
};

Result<sockaddr_un> address_in(const std::filesystem::path& state_dir) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (state_dir / "upgrade.sock").string();
    if (path.size() >= sizeof address.sun_path) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("the path '{}' is too long for a socket", path))
                        .next("give a shorter --state-dir"));
    }
    std::ranges::copy(path, static_cast<char*>(address.sun_path));
    return address;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the sockets API
}

bool send_message(const Fd& line, std::string_view text, std::span<const int> descriptors = {}) {
    std::array<char, message_bytes_max> bytes{};
    std::ranges::copy(text, bytes.begin());
    iovec part{.iov_base = bytes.data(), .iov_len = text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(descriptors_max * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    return ::sendmsg(line.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

/// The next message within the time; nothing when there is none, or the other side is gone.
std::optional<Message> receive(const Fd& line, std::chrono::milliseconds time) {
    pollfd polled{.fd = line.get(), .events = POLLIN, .revents = 0};
    if (::poll(&polled, 1, static_cast<int>(time.count())) != 1) return std::nullopt;
    std::array<char, message_bytes_max> bytes{};
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(descriptors_max * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(line.get(), &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) return std::nullopt;
    Message out{.text = std::string(bytes.data(), static_cast<std::size_t>(got)),
                .descriptors = {}};
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        std::vector<int> numbers((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(numbers.data(), CMSG_DATA(header), numbers.size() * sizeof(int));
        for (const int number : numbers) out.descriptors.emplace_back(number);
    }
    return out;
}

bool send_sockets(const Fd& line, const std::string& text, std::span<const Fd> sockets) {
    std::vector<int> numbers;
    for (const Fd& socket : sockets) numbers.push_back(socket.get());
    for (std::span<const int> left = numbers; !left.empty();) {
        const auto some = left.first(std::min(left.size(), descriptors_max));
        if (!send_message(line, text, some)) return false;
        left = left.subspan(some.size());
    }
    return true;
}

bool is_of_our_user(const Fd& line) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(line.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == ::geteuid() || peer.uid == 0);
}

/// Takes what one message gives: "listener shared ADDRESS", "listener own ADDRESS" or a name.
Result<> take(Inheritance& into, Message message) {
    constexpr std::string_view shared = "listener shared ", own = "listener own ";
    const bool is_shared = message.text.starts_with(shared);
    if (!is_shared && !message.text.starts_with(own)) {
        if (message.descriptors.size() != 1) {
            return fail(ErrorCode::unavailable, "the process before gave no socket");
        }
        into.others[message.text] = std::move(message.descriptors[0]);
        return {};
    }
    const auto address = BERTH_TRY(SocketAddress::parse(
        std::string_view(message.text).substr((is_shared ? shared : own).size())));
    if (into.listeners.empty() || into.listeners.back().address != address) {
        into.listeners.push_back({.address = address, .sockets = {}, .shared = is_shared});
    }
    for (auto& socket : message.descriptors) {
        into.listeners.back().sockets.push_back(std::move(socket));
    }
    return {};
}

}  // namespace

Result<std::optional<Inheritance>> ask_predecessor(const std::filesystem::path& state_dir) {
    const sockaddr_un address = BERTH_TRY(address_in(state_dir));
    Fd line(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!line) return fail(system_error("make a socket", errno));
    if (::connect(line.get(), generic(address), sizeof address) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED) return std::nullopt;
        return fail(system_error("ask the process before to give way", errno));
    }
    Inheritance inheritance;
    while (auto message = receive(line, takeover_time_max)) {
        if (message->text == word_end) {
            inheritance.line = std::move(line);
            return inheritance;
        }
        BERTH_TRY(take(inheritance, *std::move(message)));
    }
    return fail(make_error(ErrorCode::busy,
                           "another berth-sentinel serves this state directory, and "
                           "does not give way")
                    .next("stop it first, or give this one another --state-dir"));
}

Result<> relieve(Inheritance& inheritance) {
    const Fd line = std::move(inheritance.line);
    if (send_message(line, word_ready)) {
        const auto answer = receive(line, takeover_time_max);
        if (answer && answer->text == word_alone) return {};
    }
    return fail(ErrorCode::busy, "the process before did not give way in time");
}

Result<UpgradeDoor> UpgradeDoor::open(const std::filesystem::path& state_dir) {
    const sockaddr_un address = BERTH_TRY(address_in(state_dir));
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail(system_error("make a socket", errno));
    (void)::unlink(static_cast<const char*>(address.sun_path));  // of who is gone, or gives way
    if (::bind(socket.get(), generic(address), sizeof address) != 0 ||
        ::listen(socket.get(), 1) != 0) {
        return fail(system_error("listen for a successor", errno));
    }
    return UpgradeDoor(std::move(socket));
}

std::optional<Fd> UpgradeDoor::hand_over(const Inheritance& ours) const {
    Fd line(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!line || !is_of_our_user(line)) return std::nullopt;
    bool given = true;
    for (const auto& listener : ours.listeners) {
        given =
            given && send_sockets(line,
                                  fmt::format("listener {} {}", listener.shared ? "shared" : "own",
                                              listener.address.to_string()),
                                  listener.sockets);
    }
    for (const auto& [name, socket] : ours.others) {
        given = given && send_sockets(line, name, std::span(&socket, 1));
    }
    if (!given || !send_message(line, word_end)) return std::nullopt;
    const auto answer = receive(line, takeover_time_max);
    if (!answer || answer->text != word_ready) return std::nullopt;
    return line;
}

void confirm(const Fd& line) {
    (void)send_message(line, word_alone);
}

}  // namespace berth::sentinel
