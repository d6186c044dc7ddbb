// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/tunnel_command.h"

#include "base/descriptor_limit.h"
#include "mcp-server/cli/parsing.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "tunnel/carry/dialer_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace berth::cli {
namespace {

void add_tunnel_options(CLI::App& app, tunnel::DialerOptions& dialer, tunnel::DialerWords& given) {
    tunnel::Hello& hello = dialer.hello;
    app.add_option("--sentinel", given.sentinel, "Where the sentinel is (port 443 unless given)")
        ->type_name("HOST:PORT");
    app.add_option("--forward", given.forwards,
                   "A port that can be asked for, and what it leads to; several times for several")
        ->type_name("PORT=ADDRESS:PORT")
        ->allow_extra_args(false);
    app.add_option("--pool", hello.pool, "The pool that this machine speaks for");
    app.add_option("--token-file", dialer.token_file,
                   "The pool's token, in the first line; read again for each connection")
        ->type_name("FILE");
    app.add_option("--certificate", dialer.certificate.certificate,
                   "Instead of a token: a certificate (PEM) that the sentinel knows")
        ->type_name("FILE");
    app.add_option("--key", dialer.certificate.key, "The key of that")->type_name("FILE");
    app.add_option("--hostname", hello.hostname, "The name that visitors ask for");
    app.add_option("--alias", hello.aliases, "Another such name")->allow_extra_args(false);
    app.add_option("--base-domain", hello.base_domains, "All names below this one")
        ->type_name("DOMAIN")
        ->allow_extra_args(false);
    app.add_option("--visitors-port", hello.port,
                   "Which of the ports visitors come to (443, or the first one)")
        ->type_name("PORT");
    app.add_option("--id", hello.host,
                   "This machine among those of its pool (default: its host name); another tunnel "
                   "with the same one takes over");
    app.add_option("--ca", dialer.authorities,
                   "Who certifies the sentinel (PEM; default: those this machine trusts)")
        ->type_name("FILE");
    app.add_option("--server-name", dialer.server_name,
                   "The name in the sentinel's certificate (default: HOST)");
}

std::unexpected<Error> wrong(const std::string& what) {
    return fail(make_error(ErrorCode::invalid_argument, what).next(help_hint("tunnel")));
}

Json told_as_json(const tunnel::DialerNews& news, const tunnel::Hello& hello) {
    using Kind = tunnel::DialerNews::Kind;
    constexpr std::array<std::string_view, 5> states = {"joined", "unheard", "lost", "failed",
                                                        "open"};
    Json out{{"state", states[static_cast<std::size_t>(news.kind)]}};
    if (!hello.pool.empty()) out["pool"] = hello.pool;
    out["host"] = hello.host;
    if (news.kind == Kind::joined) out["hostname"] = hello.hostname;
    if (news.why) {
        out["error"] = jsonrpc::error_object(*news.why);
        out["again_in_ms"] = news.wait.count();
    }
    return out;
}

/// What trying again does not change: somebody has to do something.
bool is_final(const Error& why) {
    return why.code != ErrorCode::unavailable && why.code != ErrorCode::timed_out &&
           why.code != ErrorCode::busy;
}

}  // namespace

Result<TunnelCommand> read_tunnel_command(Words words, CommandLine& line, std::string& printed) {
    TunnelCommand command;
    tunnel::DialerWords given;
    CLI::App app("Makes what listens here reachable through a sentinel, without inbound access",
                 "berth tunnel");
    add_tunnel_options(app, command.dialer, given);
    add_globals(app, line);
    const auto rest = BERTH_TRY(parse(app, std::move(words), "tunnel", printed));
    if (!printed.empty()) return command;
    if (!rest.empty()) return wrong(fmt::format("there is no option {}", rest.front()));
    const auto complete = tunnel::complete(given, command.dialer);
    if (complete) return command;
    const Error& error = complete.error();
    return wrong(fmt::format("--{} {}", error.field.substr(1), error.message));
}

Result<> run_tunnel_command(const TunnelCommand& command, const std::stop_token& stop,
                            const std::function<void(const Json& news)>& told) {
    (void)raise_descriptor_limit();  // one for each stream
    std::mutex mutex;
    std::condition_variable_any changed;
    std::optional<Error> refused;
    bool joined = false;
    const auto dialer =
        BERTH_TRY(tunnel::Dialer::start(command.dialer, [&](const tunnel::DialerNews& news) {
            const std::scoped_lock lock(mutex);
            using Kind = tunnel::DialerNews::Kind;
            joined = joined || news.kind == Kind::joined || news.kind == Kind::open;
            if (!joined && news.kind == Kind::failed && is_final(*news.why)) {
                refused = news.why;
                changed.notify_all();
            } else if (!refused) {
                told(told_as_json(news, command.dialer.hello));
            }
        }));
    std::unique_lock lock(mutex);
    (void)changed.wait(lock, stop, [&refused] { return refused.has_value(); });
    if (refused) return fail(*refused);
    return {};
}

}  // namespace berth::cli
