// SPDX-License-Identifier: Apache-2.0
// How a host introduces itself through its tunnel, and what it is answered: one JSON object each
// way, behind its length. After the answer the connection is the mux's.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::tunnel {

/// The one application protocol (RFC 7301) of connections that are tunnels.
constexpr std::string_view alpn = "berth-tunnel/1";

constexpr std::size_t hello_bytes_max = std::size_t{64} * 1024;
constexpr std::size_t answer_bytes_max = std::size_t{4} * 1024;
constexpr std::size_t ports_max = 64;
constexpr std::size_t names_max = 1'000;  // in each list

struct Hello {
    std::string token = {};  // "": the certificate that TLS has shown says who it is
    std::string pool = {};   // "": none, and then no names either
    std::string host = {};   // its id within the pool; whoever comes with the same one takes over
    std::vector<std::uint16_t> ports = {};  // that may be asked for
    std::uint16_t port = 0;                 // of those, where visitors of its names go
    std::string hostname = {};              // "": none, and then no other names either
    std::vector<std::string> aliases = {};
    std::vector<std::string> base_domains = {};
    std::uint64_t generation = 0;  // when the host was started: a lower one than known is refused
    bool operator==(const Hello&) const = default;
};

/// What a sentinel says to it.
struct HelloAnswer {
    std::uint64_t session = 0;        // 0: refused
    std::optional<Error> error = {};  // why
};

/// A message and how many bytes it was; nothing while more of it is to come.
template <class T>
struct Arrived {
    T value = {};
    std::size_t bytes = 0;
};

[[nodiscard]] std::string encode(const Hello& hello);
[[nodiscard]] std::string encode(const HelloAnswer& answer);

/// Reads a hello from the begin of `bytes`; invalid_argument names the field as a JSON Pointer.
[[nodiscard]] Result<std::optional<Arrived<Hello>>> read_hello(std::string_view bytes);
[[nodiscard]] Result<std::optional<Arrived<HelloAnswer>>> read_answer(std::string_view bytes);

}  // namespace berth::tunnel
