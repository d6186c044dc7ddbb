// SPDX-License-Identifier: Apache-2.0
// One client of a page: TLS and one request of HTTP, bytes in and bytes out, without a socket.
#pragma once

#include "sentinel/page/page.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace berth::sentinel {

class Visit {
public:
    static constexpr std::size_t request_bytes_max = std::size_t{16} * 1024;

    explicit Visit(PagePlace place);
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() = default;

    /// What the client has sent.
    void receive(std::string_view bytes);
    /// What is to be sent to it now.
    [[nodiscard]] std::string take_output();
    /// Whether that is the last of it: the page was said, or cannot be.
    [[nodiscard]] bool over() const { return over_; }

private:
    struct FreeSsl {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
    };
    void step();
    void answer();

    PagePlace place_;
    std::unique_ptr<SSL, FreeSsl> ssl_;
    std::string request_;
    bool over_ = false;
};

}  // namespace berth::sentinel
