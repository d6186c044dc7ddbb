// SPDX-License-Identifier: Apache-2.0
#include "base/http_connection.h"

#include "base/shared_fd.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace berth::http {
namespace {

constexpr std::size_t head_bytes_max = 64 * 1024;
/// A chunked body costs more bytes than it carries; this much more is allowed.
constexpr std::size_t framing_factor = 2;
constexpr std::size_t write_buffer_bytes = 64 * 1024;
/// How long a refused peer may take to stop sending before its connection is cut.
constexpr milliseconds drain_max{2'000};
/// How long a peer that takes nothing holds up an end() or the server's stop.
constexpr milliseconds hurry_max{500};
/// How often a sender that waits for its peer looks whether there is a hurry. Only those pay that.
constexpr milliseconds look_again{50};

}  // namespace

Connection::Connection(int socket, const HttpServerOptions& options, std::stop_token stopping)
    : remote(address_text(socket, ::getpeername)),
      local(address_text(socket, ::getsockname)),
      peer_uid(peer_uid_of(socket)),
      socket_(socket),
      options_(options),
      stopping_(std::move(stopping)),
      secured_(options.secure ? options.secure(socket) : nullptr) {}

bool Connection::await_request() {
    muted_ = false;
    file_.reset();
    bytes_left_ = head_bytes_max;
    deadline_ = std::chrono::steady_clock::now() +
                (std::exchange(first_, false) ? options_.first_request_max : options_.idle_max);
    if (begin_ == end_ && !fill()) return false;
    deadline_ = std::chrono::steady_clock::now() + options_.receive_max;
    return true;
}

void Connection::expect_body() {
    bytes_left_ += framing_factor * options_.body_bytes_max;
}

bool Connection::flush() {
    const bool whole = send_all(unsent_, Patience::each_part, nullptr);
    unsent_.clear();
    return whole;
}

bool Connection::send_head(std::string_view head, const std::atomic<bool>& hurry) {
    unsent_ += head;  // a "100 Continue" may be waiting
    const bool whole = send_all(unsent_, Patience::whole, &hurry);
    unsent_.clear();
    muted_ = true;
    return whole;
}

bool Connection::send_piece(std::string_view bytes, const std::atomic<bool>& hurry) {
    return send_all(bytes, Patience::whole, &hurry);
}

void Connection::finish_sending() {
    closing_ = true;
    (void)::shutdown(socket_, SHUT_WR);
}

void Connection::abandon() {
    closing_ = true;
    (void)::shutdown(socket_, SHUT_RDWR);
}

void Connection::drain() {
    (void)::shutdown(socket_, SHUT_WR);
    deadline_ = std::chrono::steady_clock::now() + drain_max;
    while (fill()) {
    }
}

ssize_t Connection::read(char* to, std::size_t size) {
    if (begin_ == end_ && (!flush() || !fill())) return 0;
    const std::size_t count = std::min({size, end_ - begin_, bytes_left_});
    std::copy_n(buffer_.data() + begin_, count, to);
    begin_ += count;
    bytes_left_ -= count;
    return count == 0 ? -1 : static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* bytes, std::size_t size) {
    if (muted_) return static_cast<ssize_t>(size);
    unsent_.append(bytes, size);
    if (unsent_.size() >= write_buffer_bytes && !flush()) return -1;
    return static_cast<ssize_t>(size);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
    ip.clear();
    port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
    get_remote_ip_and_port(ip, port);
}

/// Of files that come along, the first of a request is kept; there is room for no more.
ssize_t Connection::receive() {
    iovec bytes{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<char, CMSG_LEN(sizeof(int))> along{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = along.data();
    message.msg_controllen = along.size();
    const ssize_t got = ::recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return got;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        return got;
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof(number));
    if (Fd file(number); file && !file_) file_ = share(std::move(file));
    return got;
}

bool Connection::fill() {
    for (;;) {
        const ssize_t got =
            secured_ ? secured_->receive(buffer_.data(), buffer_.size()) : receive();
        if (got > 0) {
            begin_ = 0;
            end_ = static_cast<std::size_t>(got);
            return true;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) return false;
        if (!wait_for(socket_, POLLIN, until(deadline_))) return false;
    }
}

bool Connection::send_all(std::string_view rest, Patience patience,
                          const std::atomic<bool>* hurry) {
    auto deadline = std::chrono::steady_clock::now() + options_.send_max;
    bool hurried = false;
    while (!rest.empty()) {
        const ssize_t sent =
            secured_ ? secured_->send(rest.data(), rest.size())
                     : ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            rest.remove_prefix(static_cast<std::size_t>(sent));
            if (patience == Patience::each_part && !hurried) {
                deadline = std::chrono::steady_clock::now() + options_.send_max;
            }
            continue;
        }
        if (sent == 0 || (errno != EAGAIN && errno != EINTR)) return false;
        if (!hurried && (stopping() || (hurry != nullptr && *hurry))) {
            hurried = true;
            deadline = std::min(deadline, std::chrono::steady_clock::now() + hurry_max);
        }
        const milliseconds left = until(deadline);
        if (left.count() <= 0) return false;
        (void)wait_for(socket_, POLLOUT, std::min(left, look_again));
    }
    return true;
}

}  // namespace berth::http
