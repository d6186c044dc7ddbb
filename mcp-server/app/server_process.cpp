// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/server_process.h"

#include "base/files.h"
#include "base/log.h"
#include "mcp-server/transport/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <cstdlib>

namespace berth::mcp {
namespace {

void log_listening(const UnixEndpoint& endpoint, const HttpServer&) {
    log::info("listening", {{"socket", endpoint.path}});
}

void log_listening(const TcpEndpoint& endpoint, const HttpServer& server) {
    log::info("listening",
              {{"address", endpoint.address}, {"port", std::to_string(server.port())}});
}

}  // namespace

Result<> run_on_stdio(const Dispatcher& dispatcher, StdioClient client) {
    StdioStreams streams{.input = Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)),
                         .output = {},
                         .signals = {}};
    streams.output = BERTH_TRY(take_standard_output());
    streams.signals = BERTH_TRY(take_ending_signals());
    if (!streams.input) return fail(system_error("take standard input", errno));
    end_with_parent();
    // A call that hangs would keep its thread, and so the destructors, waiting.
    if (!serve_stdio(dispatcher, std::move(streams), std::move(client))) {
        std::_Exit(EXIT_SUCCESS);
    }
    return {};
}

Result<> run_on_http(const Dispatcher& dispatcher, HttpService service) {
    const Fd signals = BERTH_TRY(take_ending_signals());
    StreamableHttp transport(dispatcher, std::move(service.seals), std::move(service.transport));
    const auto handler = [&](const HttpRequest& request) { return transport.answer(request); };
    const HttpServerOptions options{.connections_max = service.connections_max,
                                    .body_bytes_max = service.body_bytes_max,
                                    .error_body = StreamableHttp::error_body};
    const auto server = BERTH_TRY(std::visit(
        [&](const auto& endpoint) { return HttpServer::listen(endpoint, handler, options); },
        service.endpoint));
    std::visit([&](const auto& endpoint) { log_listening(endpoint, *server); }, service.endpoint);
    if (service.listening) service.listening(server->port());
    pollfd polled{.fd = signals.get(), .events = POLLIN, .revents = 0};
    while (::poll(&polled, 1, -1) < 0 && errno == EINTR) {
    }
    log::info("ending");
    server->stop();
    return {};
}

}  // namespace berth::mcp
