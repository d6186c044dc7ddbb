// SPDX-License-Identifier: Apache-2.0
// The server's HttpExchange: one request on one connection, answered in pieces if its handler
// wishes.
#pragma once

#include "base/http_connection.h"
#include "base/http_message.h"
#include "base/http_watcher.h"

#include <atomic>
#include <mutex>
#include <stop_token>

namespace berth::http {

class Exchange final : public HttpExchange {
public:
    struct Form {
        bool chunked =
            true;  // HTTP/1.0 knows none: the end of the body is the end of the connection
        bool has_body = true;  // not the answer to HEAD
        bool last = false;     // the client wants the connection closed after it
    };

    Exchange(Connection& connection, Watcher& watcher, Form form)
        : connection_(connection), watcher_(watcher), form_(form) {}
    ~Exchange() override { unwatch(); }

    [[nodiscard]] bool begin(int status, const HttpHeaders& headers) override;
    [[nodiscard]] bool write(std::string_view piece) override;
    void end() override;
    [[nodiscard]] std::stop_token gone() override;

    /// The handler has returned; `well` is false when it threw, and then the client must not take
    /// what it has for the whole. True when the answer was streamed, so nothing is left to send.
    [[nodiscard]] bool finish(bool well);

private:
    enum class Phase { waiting, streaming, over };
    [[nodiscard]] std::string head(int status, const HttpHeaders& headers) const;
    [[nodiscard]] bool client_left();
    bool send_last();
    void break_off();
    void unwatch();

    Connection& connection_;
    Watcher& watcher_;
    const Form form_;
    std::mutex mutex_;  // one sender at a time
    Phase phase_ = Phase::waiting;
    std::atomic<bool> hurry_ = false;  // end() wants the mutex
    std::mutex gone_mutex_;
    std::stop_source gone_{std::nostopstate};
    Watcher::Id watch_ = 0;
    bool unwatched_ = false;
};

}  // namespace berth::http
