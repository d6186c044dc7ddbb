// SPDX-License-Identifier: Apache-2.0
// Everything of the sentinel that is not a client's connection, put together: who may, who is
// registered, who answers about it.
#pragma once

#include "base/http_server.h"
#include "sentinel/access/access_log.h"
#include "sentinel/access/path_reports.h"
#include "sentinel/app/sentinel_options.h"
#include "sentinel/control/control_api.h"
#include "sentinel/control/control_tls.h"
#include "sentinel/control/prober.h"
#include "sentinel/registry/members.h"
#include "sentinel/registry/token_policy.h"
#include "sentinel/relay/relay.h"
#include "sentinel/tunnel/tunnel_door.h"
#include "tools-schema/registry/tool_registry.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace berth::sentinel {

/// What it tells of; all outlive it.
struct DataPlane {
    const Relay& relay;
    PathReports& reports;
    const TunnelDoor* tunnels = nullptr;
    const AccessLog* access = nullptr;
    SocketAddress front;  // where clients connect
};

class ControlPlane final : public StatusSource {
public:
    /// Reads the state directory and routes what it says.
    [[nodiscard]] static Result<std::unique_ptr<ControlPlane>> open(const SentinelOptions& options,
                                                                    RouteTable& routes);
    ~ControlPlane() override;

    /// Answers from now on, at sockets that were inherited where there are some of these names.
    [[nodiscard]] Result<> serve(const DataPlane& data_plane, std::map<std::string, Fd> inherited);
    /// Copies of the sockets that it answered at before pause(), for a successor.
    [[nodiscard]] Result<std::map<std::string, Fd>> sockets_of_paused() const;
    /// Nobody is answered, and nothing is changed, until resume(): a successor reads the state.
    void pause();
    [[nodiscard]] Result<> resume();
    /// A successor answers from now on, and what is registered is its own.
    void retire();
    /// Ends sessions of what a successor has revoked.
    void catch_up();

    /// Reads files of tokens and certificates again; on an error they stay as they were.
    [[nodiscard]] Result<> reload();
    [[nodiscard]] Members& members() { return *members_; }
    [[nodiscard]] TokenPolicy& policy() { return *policy_; }

    [[nodiscard]] Status look(const Identity& who) override;
    [[nodiscard]] Health health(const Registration& registration) override;

private:
    explicit ControlPlane(const SentinelOptions& options, RouteTable& routes)
        : options_(options), routes_(routes) {}
    [[nodiscard]] Result<> configure_tokens();
    [[nodiscard]] Result<> listen(std::map<std::string, Fd> inherited);
    void attend_leases(const std::stop_token& stop);
    [[nodiscard]] HttpResponse answer_admin(const HttpRequest& request);

    const SentinelOptions& options_;
    RouteTable& routes_;
    SystemClock clock_;
    std::chrono::system_clock::time_point started_ = clock_.wall();
    std::unique_ptr<store::Sqlite> database_;
    std::unique_ptr<Warnings> warnings_;
    std::unique_ptr<Members> members_;
    std::unique_ptr<TokenPolicy> policy_;
    std::unique_ptr<ControlTls> tls_;
    std::optional<DataPlane> data_plane_;
    std::unique_ptr<Prober> prober_;
    std::unique_ptr<ControlApi> api_;
    ToolRegistry tools_;
    std::unique_ptr<HttpServer> control_, admin_;
    std::atomic<bool> retired_ = false;
    std::map<std::string, Fd> paused_;  // sockets of servers that are to be resumed
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread leases_;
};

}  // namespace berth::sentinel
