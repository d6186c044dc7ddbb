// SPDX-License-Identifier: Apache-2.0
// What lies between the bytes of an HTTP connection and its socket: TLS, of the server or the
// client.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

namespace berth {

class HttpSecurity {
public:
    HttpSecurity() = default;
    HttpSecurity(const HttpSecurity&) = delete;
    HttpSecurity& operator=(const HttpSecurity&) = delete;
    virtual ~HttpSecurity() = default;
    /// As recv(2) and send(2) on a socket that does not wait.
    [[nodiscard]] virtual ssize_t receive(char* to, std::size_t size) = 0;
    [[nodiscard]] virtual ssize_t send(const char* bytes, std::size_t size) = 0;
    /// SHA-256 of the certificate whose key the peer has shown to have, in hexadecimal; "": none.
    [[nodiscard]] virtual std::string peer_certificate() const = 0;
};

}  // namespace berth
