// SPDX-License-Identifier: Apache-2.0
// The way back to the client of one request, while it is being answered.
#pragma once

#include <stop_token>
#include <string>

namespace berth::mcp {

class Exchange {
public:
    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    virtual ~Exchange() = default;

    /// Sends a message that belongs to the request, before its answer. Safe from any thread.
    virtual void send(const std::string& message) = 0;
    /// Stops when the client's connection ends, where a connection is one request's own.
    [[nodiscard]] virtual std::stop_token gone() { return {}; }
    /// Ends the event stream while the request is still being answered, where that can be resumed.
    virtual void end_stream() {}
};

}  // namespace berth::mcp
