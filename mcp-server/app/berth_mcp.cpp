// SPDX-License-Identifier: Apache-2.0
// berth-mcp: serves the catalogue over MCP, on stdio or on HTTP, and carries every call to berthd.
#include "base/log.h"
#include "mcp-server/app/admission.h"
#include "mcp-server/app/mcp_options.h"
#include "mcp-server/app/server_process.h"
#include "mcp-server/auth/jwks_fetch.h"
#include "mcp-server/jsonrpc/rpc_client.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "mcp-server/jsonrpc/sentinel_switch.h"
#include "mcp-server/offer/backend_watch.h"
#include "mcp-server/offer/catalogue_prompts.h"
#include "mcp-server/offer/catalogue_tasks.h"
#include "mcp-server/offer/catalogue_tools.h"
#include "mcp-server/offer/gate.h"
#include "mcp-server/offer/host_resources.h"
#include "mcp-server/offer/name_completer.h"
#include "tools-schema/contract/error_table.h"
#include "tools-schema/registry/lint.h"

#include <fmt/format.h>

#include <cstdlib>

namespace {

using namespace berth;

constexpr std::string_view instructions =
    "berth gives you Linux machines (system containers) on this host. Order of use: system_info "
    "shows the host and its images; container_create makes a machine and waits until it is ready; "
    "container_exec runs commands in it; port_add makes one of its ports reachable; ssh_config "
    "tells how to log in. container_delete removes a machine and its data. What takes long can run "
    "in the background: operation_get tells how it ended. An error names the next call.";

std::string instructions_for(const policy::ToolFilter& filter) {
    const std::size_t all = tool_catalogue().size();
    if (filter.count() == all) return std::string(instructions);
    return fmt::format("{} This server is configured to offer {} of berth's {} tools.",
                       instructions, filter.count(), all);
}

/// One tool that a client cannot read would cost it all of them.
Result<> check_catalogue() {
    std::vector<Json> listings;
    for (const ToolSpec& tool : tool_catalogue()) listings.push_back(Json::parse(tool.listing));
    const auto problems = lint(listings);
    if (problems.empty()) return {};
    return fail(ErrorCode::internal,
                fmt::format("the catalogue is not fit to be served: {}", problems.front()));
}

/// Sessions are good in the next process too when it has the same key.
auth::SealKey session_key(const std::filesystem::path& state_dir) {
    auto key = auth::load_or_make_key(state_dir / "session.key");
    if (key) return *std::move(key);
    log::warning("sessions will end with this process", {{"why", key.error().message}});
    return auth::SealKey::random();
}

Result<std::unique_ptr<auth::Authenticator>> make_authenticator(const McpConfig& config,
                                                                const Clock& clock) {
    std::unique_ptr<auth::TokenStore> tokens;
    if (!config.tokens_file.empty()) {
        tokens = std::make_unique<auth::TokenStore>(config.tokens_file, clock);
        BERTH_TRY(tokens->ready());
    }
    std::unique_ptr<auth::KeySource> keys;
    const OauthConfig& oauth = config.oauth;
    if (!oauth.jwks_file.empty()) keys = std::make_unique<auth::FileKeys>(oauth.jwks_file, clock);
    if (!oauth.jwks_url.empty()) {
        const auto url = BERTH_TRY(auth::JwksUrl::parse(oauth.jwks_url));
        keys = std::make_unique<auth::FetchedKeys>(
            [url, ca_file = oauth.ca_file] { return auth::fetch_jwks(url, ca_file); }, clock);
    }
    return std::make_unique<auth::Authenticator>(
        auth::AuthenticatorOptions{.resource = config.resource_at(config.listen.port),
                                   .issuer = oauth.issuer,
                                   .authorization_servers = oauth.authorization_servers},
        std::move(tokens), std::move(keys), clock);
}

/// Calls of plain JSON-RPC as the caller that was let in, and through the same gate as MCP's.
class ScriptCalls final : public Invoker {
public:
    ScriptCalls(Invoker& gated, std::string principal)
        : gated_(gated), principal_(std::move(principal)) {}
    [[nodiscard]] Result<Json> invoke(std::string_view tool, const Json& arguments,
                                      const Call& call) override {
        Call own = call;
        own.caller = principal_;
        return gated_.invoke(tool, arguments, own);
    }

private:
    Invoker& gated_;
    std::string principal_;
};

std::vector<mcp::HttpRoute> routes(Invoker& gated, const auth::Authenticator& authenticator) {
    const auto scripts = [&gated](const HttpRequest& request, const mcp::Admitted& who) {
        ScriptCalls calls(gated, who.principal);
        return answer_rpc(request, calls,
                          {.trust_caller = false, .has_method = [&who](std::string_view tool) {
                               return find_tool(tool) != nullptr &&
                                      (who.tools == nullptr || who.tools->allows(tool));
                           }});
    };
    const auto metadata = [&authenticator](const HttpRequest& request, const mcp::Admitted&) {
        const auto document = authenticator.metadata_at(request.path);
        if (document && request.method == "GET") return json_response(200, to_text(*document));
        return json_response(404, mcp::StreamableHttp::error_body(404, "nothing is here"));
    };
    constexpr const char* metadata_root = "/.well-known/oauth-protected-resource";
    return {{.path = std::string(rpc_path), .answer = scripts},
            {.path = metadata_root, .open = true, .answer = metadata},
            {.path = fmt::format("{}{}", metadata_root, mcp::mcp_path),
             .open = true,
             .answer = metadata}};
}

mcp::BackendWatch::Follow follower(const std::string& socket) {
    return [socket](const std::stop_token& stop, const std::function<void()>& on_connected,
                    const mcp::BackendWatch::OnEvent& on_event) {
        (void)follow_events(socket, stop, on_event, on_connected);  // why it ended is not needed
    };
}

Result<> serve_http(const McpConfig& config, const mcp::Dispatcher& dispatcher, Invoker& gated,
                    const policy::ToolFilter& filter, const Clock& clock) {
    const auto authenticator = BERTH_TRY(make_authenticator(config, clock));
    app::Admission admission(
        *authenticator, {.requests_per_second = config.requests_per_second, .burst = config.burst},
        filter, clock);
    mcp::HttpService service{
        .endpoint = config.listen,
        .seals = auth::Seals(session_key(config.state_dir), clock),
        .transport = {.access = {.allowed_hosts = config.allowed_hosts,
                                 .allowed_origins = config.allowed_origins},
                      .admit = [&](const HttpRequest& request) { return admission.admit(request); },
                      .routes = routes(gated, *authenticator),
                      .streams_max = config.streams_max},
        .connections_max = config.connections_max,
        .body_bytes_max = config.body_bytes_max};
    if (config.listen_unix) service.endpoint = *config.listen_unix;
    return mcp::run_on_http(dispatcher, std::move(service));
}

Result<> serve(const app::McpOptions& options) {
    const auto config = BERTH_TRY(load_mcp_config(options.flags));
    const auto filter = BERTH_TRY(policy::ToolFilter::of(config.tools));
    BERTH_TRY(check_catalogue());
    log::start("berth-mcp", config.log_level);
    const SystemClock clock;
    const auto berthd = with_sentinel(connect_rpc(config.socket), config.sentinel_socket);
    policy::ConfirmTokens confirmations(auth::SealKey::random(), clock);
    mcp::Gate gate(*berthd, config.policy, confirmations, clock);
    mcp::GatedInvoker gated(*berthd, gate);
    mcp::CatalogueTools tools(*berthd, gate);
    mcp::CatalogueTasks tasks(*berthd);
    mcp::HostResources resources(gated);
    mcp::CataloguePrompts prompts(gated);
    mcp::NameCompleter completer(gated, prompts, resources);
    mcp::Hub hub;
    const mcp::Dispatcher dispatcher({.identity = {.name = "berth",
                                                   .title = "berth",
                                                   .version = BERTH_VERSION,
                                                   .instructions = instructions_for(filter)},
                                      .tools = tools,
                                      .resources = &resources,
                                      .prompts = &prompts,
                                      .completer = &completer,
                                      .tasks = &tasks,
                                      .resources_change = true},
                                     hub, auth::Seals(auth::SealKey::random(), clock));
    const mcp::BackendWatch watch(follower(config.socket), *berthd, hub);
    if (options.stdio) return mcp::run_on_stdio(dispatcher, {.tools = app::scope_of(filter)});
    return serve_http(config, dispatcher, gated, filter, clock);
}

Result<> run(const app::McpOptions& options) {
    if (options.token.action == auth::TokenCommand::Action::none) return serve(options);
    const SystemClock clock;
    const std::string file = options.flags.tokens_file.value_or(auth::default_tokens_path);
    fmt::print("{}\n", BERTH_TRY(auth::run_token_command(options.token, file, clock)));
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = app::read_mcp_options(argc, argv);
    if (!options) return options.error();
    const auto done = run(*options);
    if (done) return EXIT_SUCCESS;
    const Error& error = done.error();
    fmt::print(stderr, "berth-mcp: {}\n{}", error.message,
               error.hint.empty() ? "" : error.hint + "\n");
    return error_info(error.code).exit;
}
