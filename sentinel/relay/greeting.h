// SPDX-License-Identifier: Apache-2.0
// A connection's first bytes: a PROXY header where one is due, then a ClientHello, or the banner of
// an SSH client where those are taken.
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

    /// How every SSH client's first line begins (RFC 4253 section 4.2), and no ClientHello.
    static constexpr std::string_view ssh_banner = "SSH-";

    /// `proxied`: it begins with a PROXY header, or is not taken. `ssh`: a banner is waited for.
    explicit Greeting(bool proxied, bool ssh = false) : wants_header_(proxied), takes_ssh_(ssh) {}

    /// As HelloReader::read. A PROXY header that is missing or wrong is `not_tls`, and so is SSH.
    [[nodiscard]] HelloState read(std::string_view all) {
        if (wants_header_) {
            const ProxyHeader header = read_proxy_header(all);
            if (header.state == ProxyState::need_more) return HelloState::need_more;
            if (header.state == ProxyState::wrong) return HelloState::not_tls;
            if (header.state == ProxyState::proxied) ends_ = header.ends;
            header_bytes_ = header.bytes;
            wants_header_ = false;
        }
        const std::string_view said = all.substr(header_bytes_);
        if (takes_ssh_ && ssh_banner.starts_with(said.substr(0, ssh_banner.size()))) {
            is_ssh_ = said.size() >= ssh_banner.size();
            return is_ssh_ ? HelloState::not_tls : HelloState::need_more;
        }
        return hello_.read(said);
    }
    [[nodiscard]] bool is_ssh() const noexcept { return is_ssh_; }
    [[nodiscard]] const ServerName& name() const noexcept { return hello_.name(); }
    [[nodiscard]] bool wants_tunnel() const noexcept { return hello_.wants_tunnel(); }
    /// Of the PROXY header, which is not passed on.
    [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }
    /// Who connects, as the proxy in front told.
    [[nodiscard]] const std::optional<ProxyEnds>& ends() const noexcept { return ends_; }

private:
    bool wants_header_, takes_ssh_;
    bool is_ssh_ = false;
    std::size_t header_bytes_ = 0;
    std::optional<ProxyEnds> ends_;
    HelloReader hello_;
};

}  // namespace berth::sentinel
