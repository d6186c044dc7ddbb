// SPDX-License-Identifier: Apache-2.0
#include "sentinel/app/control_plane.h"

#include "base/files.h"
#include "base/log.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "sentinel/registry/schema.h"
#include "sentinel/tools/sentinel_tools.h"
#include "tools-schema/registry/tool_spec.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace berth::sentinel {
namespace {

// Who has no token must not keep out those who beat: it has a place for seconds, and makes room.
// One with a token keeps its place between requests; a request without one ends the connection.
constexpr std::size_t callers_max = 256;
constexpr std::size_t strangers_per_source_max = 64;
constexpr std::chrono::milliseconds first_request_max{5'000};
constexpr std::chrono::milliseconds receive_max{10'000};
constexpr std::chrono::milliseconds leases_look_max{1'000};
constexpr std::chrono::milliseconds leases_look_min{10};

HttpServerOptions server_options() {
    return {.connections_max = callers_max,
            .strangers_per_source_max = strangers_per_source_max,
            .body_bytes_max = claim_body_bytes_max,
            .first_request_max = first_request_max,
            .receive_max = receive_max,
            .error_body = ControlApi::error_body};
}

}  // namespace

Result<std::unique_ptr<ControlPlane>> ControlPlane::open(const SentinelOptions& options,
                                                         RouteTable& routes) {
    std::unique_ptr<ControlPlane> plane(new ControlPlane(options, routes));
    plane->database_ = BERTH_TRY(open_registry(options.state_dir / "sentinel.db"));
    plane->warnings_ = std::make_unique<Warnings>(*plane->database_, plane->clock_);
    plane->policy_ = BERTH_TRY(TokenPolicy::open(*plane->database_, plane->clock_));
    BERTH_TRY(plane->configure_tokens());
    plane->members_ = BERTH_TRY(
        Members::open(*plane->database_, routes, *plane->warnings_, plane->clock_, options.pools));
    // What a revoked token registered while this was down.
    for (const auto& registration : plane->members_->list()) {
        const auto& identity = registration.claim.identity;
        if (!identity.starts_with("uid:") && !plane->policy_->is_valid(identity)) {
            plane->members_->release_identity(identity);
        }
    }
    plane->policy_->on_revoked([&one = *plane](const std::string& identity) {
        if (!one.retired_) one.members_->release_identity(identity);
    });
    if (!options.control_certificate.empty()) {
        plane->tls_ = BERTH_TRY(ControlTls::load(options.control_certificate, options.control_key));
    }
    return plane;
}

ControlPlane::~ControlPlane() {
    leases_.request_stop();
    wake_.notify_all();
}

Result<> ControlPlane::configure_tokens() {
    TokenPolicy::Configured configured{.tokens = options_.tokens, .certificates = {}};
    for (const auto& file : options_.token_files) {
        auto rules = parse_token_rules(BERTH_TRY(read_file(file)));
        if (!rules) return fail(std::move(rules).error().in(file.string()));
        configured.tokens.insert(configured.tokens.end(), rules->begin(), rules->end());
    }
    for (const auto& rule : options_.certificates) {
        configured.certificates.push_back(
            {.fingerprint = BERTH_TRY(fingerprint_of(rule.file)), .pools = rule.pools});
    }
    return policy_->configure(configured);
}

Result<> ControlPlane::reload() {
    BERTH_TRY(configure_tokens());
    if (tls_) BERTH_TRY(tls_->reload());
    return {};
}

Result<> ControlPlane::serve(const DataPlane& data_plane, std::map<std::string, Fd> inherited) {
    data_plane_.emplace(data_plane);
    prober_ = std::make_unique<Prober>(*members_, data_plane.reports,
                                       ProberOptions{.interval = options_.health_interval,
                                                     .front = data_plane.front,
                                                     .pools = options_.pools});
    api_ = std::make_unique<ControlApi>(
        *members_, *policy_, *this,
        ControlOptions{.dialect =
                           options_.compat_containarium ? Dialect::containarium : Dialect::berth});
    bind_sentinel_tools(tools_, *this, *policy_);
    BERTH_TRY(listen(std::move(inherited)));
    leases_ = std::jthread([this](const std::stop_token& stop) { attend_leases(stop); });
    return {};
}

Result<> ControlPlane::listen(std::map<std::string, Fd> inherited) {
    const auto take = [&inherited](const char* name) {
        const auto found = inherited.find(name);
        return found == inherited.end() ? Fd() : std::move(found->second);
    };
    const auto admin = [this](const HttpRequest& request) { return answer_admin(request); };
    const auto control = [this](const HttpRequest& request) { return api_->answer(request); };
    const UnixEndpoint admin_place{.path = options_.admin_socket.string(),
                                   .mode = options_.admin_group.empty() ? 0600U : 0660U,
                                   .group = options_.admin_group};
    if (Fd socket = take("admin")) {
        admin_ = BERTH_TRY(HttpServer::listen(std::move(socket), admin, server_options()));
    } else {
        admin_ = BERTH_TRY(HttpServer::listen(admin_place, admin, server_options()));
    }
    if (!options_.control) return {};
    auto how = server_options();
    if (tls_) how.secure = [this](int socket) { return tls_->accept(socket); };
    if (Fd socket = take("control")) {
        control_ = BERTH_TRY(HttpServer::listen(std::move(socket), control, std::move(how)));
    } else {
        const std::string text = options_.control->to_string();
        std::string host = text.substr(0, text.rfind(':'));
        if (options_.control->is_v6()) host = host.substr(1, host.size() - 2);
        control_ = BERTH_TRY(
            HttpServer::listen(TcpEndpoint{.address = host, .port = options_.control->port()},
                               control, std::move(how)));
    }
    log::info("control",
              {{"port", std::to_string(control_->port())}, {"tls", tls_ ? "yes" : "no"}});
    return {};
}

Result<std::map<std::string, Fd>> ControlPlane::sockets_of_paused() const {
    std::map<std::string, Fd> all;
    for (const auto& [name, socket] : paused_) {
        Fd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) return fail(system_error("copy a descriptor", errno));
        all.emplace(name, std::move(copy));
    }
    return all;
}

void ControlPlane::pause() {
    members_->freeze(true);
    const auto keep = [this](const char* name, const std::unique_ptr<HttpServer>& server) {
        if (!server) return;
        if (auto socket = server->listener()) paused_[name] = *std::move(socket);
        server->keep_path();
    };
    keep("control", control_);
    keep("admin", admin_);
    control_.reset();
    admin_.reset();
}

Result<> ControlPlane::resume() {
    members_->freeze(false);
    return listen(std::exchange(paused_, {}));
}

void ControlPlane::catch_up() {
    if (const auto done = policy_->catch_up(); !done) {
        log::error("what was revoked is not known", {{"why", done.error().message}});
    }
}

void ControlPlane::retire() {
    retired_ = true;
    control_.reset();
    admin_.reset();
    paused_.clear();
    prober_.reset();
    leases_ = {};
}

void ControlPlane::attend_leases(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto wait = std::clamp(members_->expire(), leases_look_min, leases_look_max);
        std::unique_lock lock(mutex_);
        (void)wake_.wait_for(lock, stop, wait, [&stop] { return stop.stop_requested(); });
    }
}

HttpResponse ControlPlane::answer_admin(const HttpRequest& request) {
    if (request.path != rpc_path) return api_->answer(request);
    return answer_rpc(request, tools_,
                      {.trust_caller = true, .has_method = [](std::string_view name) {
                           const ToolSpec* const tool = find_tool(name);
                           return tool != nullptr && is_of_sentinel(*tool);
                       }});
}

Health ControlPlane::health(const Registration& registration) {
    return prober_ ? prober_->health(registration.id) : Health{};
}

Status ControlPlane::look(const Identity& who) {
    Status status{.version = BERTH_VERSION, .started_at = to_rfc3339(started_)};
    for (auto& registration : members_->list()) {
        if (!who.may(registration.claim.pool)) continue;
        if (registration.claim.lease == Lease::session) ++status.tunnels;
        Health found = health(registration);
        status.registrations.emplace_back(std::move(registration), std::move(found));
    }
    for (auto& [name, pool] : members_->owners()) {
        if (who.may(pool)) status.names.emplace_back(name, pool);
    }
    const StaticPools pools = members_->static_pools();
    for (const auto& one : pools.watched) {
        if (!who.may(one.name)) continue;
        status.static_pools.push_back(
            {.pool = one.name,
             .destination = to_string(one.primary),
             .health = prober_ ? prober_->health(one.watched) : Health{}});
    }
    status.complete = who.may_everything();
    if (!status.complete) return status;
    if (auto warnings = warnings_->list()) status.warnings = *std::move(warnings);
    const Relay& relay = data_plane_->relay;
    for (std::size_t count = 0; count < count_names.size(); ++count) {
        status.outcomes.emplace_back(count_names[count], relay.count(static_cast<Count>(count)));
    }
    status.bytes_from_clients = relay.bytes(Flow::from_client);
    status.bytes_to_clients = relay.bytes(Flow::to_client);
    status.open = relay.open();
    if (data_plane_->tunnels != nullptr) {
        const auto& figures = status.tunnelling.emplace(data_plane_->tunnels->figures());
        status.bytes_from_clients += figures.bytes_from_clients;
        status.bytes_to_clients += figures.bytes_to_clients;
        status.open += figures.streams_open;
    }
    if (const AccessLog* const access = data_plane_->access) {
        status.access_written = access->written();
        status.access_dropped = access->dropped();
    }
    status.routes = routes_.count();
    status.static_unwatched = pools.others;
    return status;
}

}  // namespace berth::sentinel
