// SPDX-License-Identifier: Apache-2.0
// One TLS connection, bytes in and bytes out, without a socket: so a batch of eight records is one
// send, and a ClientHello that somebody else has read is fed like any other bytes. For hosts that
// know no better there is one without TLS.
#pragma once

#include "tools-schema/contract/result.h"
#include "tunnel/carry/client_authority.h"
#include "tunnel/carry/tls_context.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;

namespace berth::tunnel {

class Channel {
public:
    /// As they come: nothing is encrypted, and nobody known.
    Channel();
    /// Waits for a client, or (`peer` is not "") is one, of the server that must have that name.
    explicit Channel(const std::shared_ptr<TlsContext>& context, const std::string& peer = "");
    Channel(Channel&&) noexcept;
    Channel& operator=(Channel&&) noexcept;
    ~Channel();

    /// Decrypts what has arrived, and puts it behind `plain`. Until the handshake is over there is
    /// none. False when no more will come: the peer said so.
    [[nodiscard]] Result<bool> receive(std::string_view bytes, std::string& plain);
    [[nodiscard]] bool ready() const;  // the handshake is over
    /// Encrypts behind what is to be sent. Not before it is ready.
    void send(std::string_view plain);
    /// Tells the peer that no more will come.
    void finish();

    /// What is to be sent, and that the first of it was.
    [[nodiscard]] std::string_view output() const;
    void sent(std::size_t bytes);
    /// Gives memory back that bulk has taken.
    void rest();

    /// The certificate of a client.
    [[nodiscard]] ShownCertificate shown() const;
    /// The one agreed on, "" for none.
    [[nodiscard]] std::string_view protocol() const;

private:
    struct Wire;  // where OpenSSL reads and writes
    struct Free {
        void operator()(ssl_st* ssl) const;
    };
    [[nodiscard]] Error what_failed() const;

    std::shared_ptr<TlsContext> context_;
    std::unique_ptr<Wire> wire_;
    std::unique_ptr<ssl_st, Free> ssl_;
};

}  // namespace berth::tunnel
