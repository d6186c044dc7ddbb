// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/secured.h"

#include "base/files.h"
#include "base/http_socket.h"
#include "tunnel/carry/channel.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <utility>

namespace berth::tunnel {
namespace {

constexpr std::chrono::milliseconds agree_max{5'000};
constexpr std::size_t read_bytes = std::size_t{16} * 1024;

class Secured final : public HttpSecurity {
public:
    /// The socket is another's, who outlives this.
    Secured(int socket, const std::shared_ptr<TlsContext>& context, const std::string& server_name)
        : socket_(socket), channel_(context, server_name) {}

    [[nodiscard]] Result<> agree() {
        const auto deadline = std::chrono::steady_clock::now() + agree_max;
        while (true) {
            const bool sent = flush();
            if (!sent && errno != EAGAIN) return fail(system_error("send", errno));
            if (sent && channel_.ready()) return {};
            const short events = sent ? POLLIN : POLLIN | POLLOUT;
            if (!http::wait_for(socket_, events, http::until(deadline))) {
                return fail(ErrorCode::timed_out, fmt::format("no agreement on TLS within {} s",
                                                              agree_max.count() / 1000));
            }
            BERTH_TRY(take_some());
            if (ended_) return fail(ErrorCode::unavailable, "the connection was closed");
        }
    }

    [[nodiscard]] ssize_t receive(char* to, std::size_t size) override {
        (void)flush();
        if (plain_.empty() && !ended_) {
            const auto taken = take_some();
            if (!taken) return broken();
        }
        if (plain_.empty()) {
            errno = EAGAIN;
            return ended_ ? 0 : -1;
        }
        const std::size_t count = plain_.copy(to, size);
        plain_.erase(0, count);
        return static_cast<ssize_t>(count);
    }

    [[nodiscard]] ssize_t send(const char* bytes, std::size_t size) override {
        if (!flush()) return errno == EAGAIN ? -1 : broken();
        channel_.send({bytes, size});
        if (!flush() && errno != EAGAIN) return broken();
        return static_cast<ssize_t>(size);  // what is left goes out before anything else
    }

    [[nodiscard]] std::string peer_certificate() const override {
        return channel_.shown().fingerprint;
    }

private:
    static ssize_t broken() {
        errno = ECONNRESET;
        return -1;
    }

    /// False when not all could be sent; errno says why.
    bool flush() {
        while (!channel_.output().empty()) {
            const auto output = channel_.output();
            const ssize_t sent =
                ::send(socket_, output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0) return false;
            channel_.sent(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// What has come, if anything has.
    Result<> take_some() {
        std::array<char, read_bytes> buffer{};
        const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
        if (got < 0) return fail(system_error("receive", errno));
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
        ended_ = got == 0 || !BERTH_TRY(channel_.receive(bytes, plain_));
        return {};
    }

    const int socket_;
    Channel channel_;
    std::string plain_;
    bool ended_ = false;
};

}  // namespace

HttpClient::Secure secured(std::shared_ptr<TlsContext> context, std::string server_name) {
    return [context = std::move(context),
            name = std::move(server_name)](int socket) -> Result<std::unique_ptr<HttpSecurity>> {
        auto made = std::make_unique<Secured>(socket, context, name);
        BERTH_TRY(made->agree());
        return made;
    };
}

}  // namespace berth::tunnel
