// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/server_process.h"

#include "base/files.h"
#include "base/http_server.h"
#include "base/log.h"
#include "mcp-server/transport/process.h"
#include "mcp-server/transport/stdio.h"
#include "mcp-server/transport/streamable_http.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <cstdlib>

namespace berth::mcp {
namespace {

constexpr std::size_t session_key_bytes = 32;

}  // namespace

Result<> run_on_stdio(const Dispatcher& dispatcher) {
    StdioStreams streams{.input = Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)),
                         .output = BERTH_TRY(take_standard_output()),
                         .signals = BERTH_TRY(take_ending_signals())};
    if (!streams.input) return fail(system_error("take standard input", errno));
    end_with_parent();
    // A call that hangs would keep its thread, and so the destructors, waiting.
    if (!serve_stdio(dispatcher, std::move(streams))) std::_Exit(EXIT_SUCCESS);
    return {};
}

Result<> run_on_http(const Dispatcher& dispatcher, const TcpEndpoint& endpoint, HttpAccess access,
                     const std::function<void(std::uint16_t)>& listening) {
    const Fd signals = BERTH_TRY(take_ending_signals());
    StreamableHttp transport(dispatcher, std::move(access), random_hex(session_key_bytes));
    const auto server = BERTH_TRY(HttpServer::listen(
        endpoint, [&](const HttpRequest& request) { return transport.answer(request); },
        {.error_body = StreamableHttp::error_body}));
    log::info("listening",
              {{"address", endpoint.address}, {"port", std::to_string(server->port())}});
    if (listening) listening(server->port());
    pollfd polled{.fd = signals.get(), .events = POLLIN, .revents = 0};
    while (::poll(&polled, 1, -1) < 0 && errno == EINTR) {
    }
    log::info("ending");
    server->stop();
    return {};
}

}  // namespace berth::mcp
