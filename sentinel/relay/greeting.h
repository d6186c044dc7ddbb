// SPDX-License-Identifier: Apache-2.0
// A connection's first bytes: a PROXY header where one is due, then a ClientHello.
#pragma once

#include "sentinel/proxy/proxy_protocol.h"
#include "sentinel/tls/client_hello.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace berth::sentinel {

class Greeting {
public:
    /// The most that can come before a verdict.
    static constexpr std::size_t bytes_max = proxy_header_bytes_max + hello_wire_bytes_max;

    /// `proxied`: it begins with a PROXY header, or is not taken.
    explicit Greeting(bool proxied) : wants_header_(proxied) {}

    /// As HelloReader::read. A PROXY header that is missing or wrong is `not_tls`.
    [[nodiscard]] HelloState read(std::string_view all) {
        if (wants_header_) {
            const ProxyHeader header = read_proxy_header(all);
            if (header.state == ProxyState::need_more) return HelloState::need_more;
            if (header.state == ProxyState::wrong) return HelloState::not_tls;
            if (header.state == ProxyState::proxied) ends_ = header.ends;
            header_bytes_ = header.bytes;
            wants_header_ = false;
        }
        return hello_.read(all.substr(header_bytes_));
    }
    [[nodiscard]] const ServerName& name() const noexcept { return hello_.name(); }
    [[nodiscard]] bool wants_tunnel() const noexcept { return hello_.wants_tunnel(); }
    /// Of the PROXY header, which is not passed on.
    [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }
    /// Who connects, as the proxy in front told.
    [[nodiscard]] const std::optional<ProxyEnds>& ends() const noexcept { return ends_; }

private:
    bool wants_header_;
    std::size_t header_bytes_ = 0;
    std::optional<ProxyEnds> ends_;
    HelloReader hello_;
};

}  // namespace berth::sentinel
