// SPDX-License-Identifier: Apache-2.0
// Reads the server name out of a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3)
// however it is cut into records and segments. Nothing is taken out of the bytes: they are passed
// on as they came.
#pragma once

#include "sentinel/tls/server_name.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace berth::sentinel {

/// The largest ClientHello, with its header of 4 bytes. Post-quantum key shares make one of 2 KB
/// today.
constexpr std::size_t hello_bytes_max = std::size_t{64} * 1024;
/// The same on the wire when each byte is in a record of its own: any cut is allowed.
constexpr std::size_t hello_wire_bytes_max = hello_bytes_max * 6;

/// Who offers this protocol (RFC 7301) and no other wants to open a tunnel.
constexpr std::string_view tunnel_protocol = "berth-tunnel/1";

enum class HelloState : std::uint8_t {
    need_more,  // all is well so far
    not_tls,    // something else, which must not be answered with an alert
    malformed,  // TLS, and against its rules or beyond our bounds
    no_name,    // a whole ClientHello without a server name
    bad_name,   // a whole ClientHello whose server name is no DNS name
    named,
};

/// One connection's ClientHello. With Encrypted Client Hello the name is the outer one.
class HelloReader {
public:
    /// `all` is every byte since the first, those of earlier calls unchanged. Work is in proportion
    /// to what is new, so that a byte at a time costs no more than all at once.
    [[nodiscard]] HelloState read(std::string_view all);
    /// Valid once read() said `named`.
    [[nodiscard]] const ServerName& name() const noexcept { return name_; }

    /// A whole ClientHello, whatever its name, of a host that wants to open a tunnel.
    [[nodiscard]] bool wants_tunnel() const noexcept { return wants_tunnel_; }

private:
    [[nodiscard]] std::size_t message_bytes(std::string_view part);
    [[nodiscard]] HelloState read_message(std::string_view message);

    std::size_t record_ = 0;           // where the record begins that is not whole yet
    std::size_t carried_ = 0;          // bytes of the message in the records before it
    std::array<char, 4> header_ = {};  // of the message: its type and length
    bool wants_tunnel_ = false;
    ServerName name_;
};

}  // namespace berth::sentinel
