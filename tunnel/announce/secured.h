// SPDX-License-Identifier: Apache-2.0
// TLS for an HTTP client, by the channel that tunnels have.
#pragma once

#include "base/http_client.h"
#include "tunnel/carry/tls_context.h"

#include <memory>
#include <string>

namespace berth::tunnel {

/// Who is talked to must be certified for that name, or address.
[[nodiscard]] HttpClient::Secure secured(std::shared_ptr<TlsContext> context,
                                         std::string server_name);

}  // namespace berth::tunnel
