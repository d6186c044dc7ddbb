// SPDX-License-Identifier: Apache-2.0
// Asks a TLS server by a name, as far as can be told without trusting it: whether it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::tunnel {

constexpr unsigned char alert_internal_error = 80;      // RFC 8446 section 6
constexpr unsigned char alert_unrecognized_name = 112;  // RFC 6066 section 3

/// A ClientHello for a name, as OpenSSL writes it.
[[nodiscard]] std::string hello_for(const std::string& name);

/// The 32 random bytes of a hello_for(), by which it can be known again; "" for none.
[[nodiscard]] std::string_view random_in(std::string_view hello);

/// What is wrong with a server that has begun to answer like this, and "" when nothing is; nothing
/// while these are too few bytes to tell. An alert is an answer, but for those that a front gives
/// in a server's place: internal_error for one that is away, and `refused` besides.
[[nodiscard]] std::optional<std::string> problem_in(std::string_view answer,
                                                    unsigned char refused = alert_internal_error);

}  // namespace berth::tunnel
