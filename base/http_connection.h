// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP server as cpp-httplib sees it. Reads through one buffer with a bound
// on bytes and time, and collects what is written, so that an answer leaves in one system call.
#pragma once

#include "base/http_server.h"
#include "base/http_socket.h"

#include <httplib.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace berth::http {

class Connection final : public httplib::Stream {
public:
    const std::string remote, local;
    const std::optional<uid_t> peer_uid;

    /// Once `stopping` is requested, a peer that takes nothing is waited for only briefly.
    Connection(int socket, const HttpServerOptions& options, std::stop_token stopping);

    /// False when there is nothing between us and the peer that can be trusted.
    [[nodiscard]] bool usable() const { return !options_.secure || secured_; }
    [[nodiscard]] std::string peer_certificate() const {
        return secured_ ? secured_->peer_certificate() : "";
    }
    [[nodiscard]] int descriptor() const { return socket_; }
    [[nodiscard]] bool stopping() const { return stopping_.stop_requested(); }

    /// Waits for the first byte of a request; false when there will be none.
    [[nodiscard]] bool await_request();
    void expect_body();
    /// The file that came with this request's first bytes.
    [[nodiscard]] const std::shared_ptr<const int>& file() const { return file_; }

    /// The rest of what the peer sends is unknown, so this answer is the last.
    void close_after_answer() { closing_ = true; }
    [[nodiscard]] bool closing() const { return closing_; }
    [[nodiscard]] bool head_too_long() const { return bytes_left_ == 0; }

    /// Sends what was collected; each part that the peer takes buys it send_max again.
    [[nodiscard]] bool flush();

    /// Sends the head of a streamed answer. What cpp-httplib says about this request after that is
    /// thrown away.
    [[nodiscard]] bool send_head(std::string_view head, const std::atomic<bool>& hurry);
    /// Sends all of it within send_max, and within a moment once `hurry` is set.
    [[nodiscard]] bool send_piece(std::string_view bytes, const std::atomic<bool>& hurry);
    /// No more will be sent; the peer learns it at once.
    void finish_sending();
    /// Gives the peer up: whatever it still reads ends here, in the middle.
    void abandon();

    /// Takes what the peer still sends, because closing over unread bytes would reset the
    /// connection before it has read the answer.
    void drain();

    // httplib::Stream
    [[nodiscard]] bool is_readable() const override { return begin_ != end_; }
    [[nodiscard]] bool is_writable() const override { return true; }
    ssize_t read(char* to, std::size_t size) override;
    ssize_t write(const char* bytes, std::size_t size) override;
    void get_remote_ip_and_port(std::string& ip, int& port) const override;
    void get_local_ip_and_port(std::string& ip, int& port) const override;
    /// Not the real one: cpp-httplib refuses those above 1023, for a select() we never come to.
    [[nodiscard]] socket_t socket() const override { return 0; }

private:
    enum class Patience { each_part, whole };
    bool fill();
    ssize_t receive();
    bool send_all(std::string_view rest, Patience patience, const std::atomic<bool>* hurry);

    int socket_;
    const HttpServerOptions& options_;
    std::stop_token stopping_;
    std::unique_ptr<HttpSecurity> secured_;
    std::array<char, 16 * 1024> buffer_{};
    std::size_t begin_ = 0, end_ = 0, bytes_left_ = 0;
    SteadyTime deadline_;
    std::shared_ptr<const int> file_;
    std::string unsent_;
    bool first_ = true;  // no request was waited for yet
    bool muted_ = false;
    std::atomic<bool> closing_ = false;
};

}  // namespace berth::http
