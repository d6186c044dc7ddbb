// SPDX-License-Identifier: Apache-2.0
// The front's end of tunnels: a host that may is registered for as long as its session lives, and
// visitors of its names become streams of that session.
#pragma once

#include "sentinel/access/tunnel_figures.h"
#include "sentinel/registry/members.h"
#include "sentinel/registry/token_policy.h"
#include "sentinel/relay/tunnels.h"
#include "sentinel/tunnel/tunnel_greeter.h"
#include "tunnel/carry/carrier.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace berth::sentinel {

struct TunnelDoorOptions {
    tunnel::OwnCertificate own = {};              // none: no host of ours
    std::filesystem::path client_authority = {};  // whose certificates count; "": nobody's
    bool containarium = false;                    // takes its hosts, in clear
    GreeterLimits hellos = {};
    std::size_t sessions_per_pool_max = 2'500;  // a quarter of all there may be
    AccessLog* access = nullptr;                // none, and nothing is written; outlives the door
    std::size_t threads = 1;                    // that carry the sessions
    tunnel::CarrierLimits limits = {};
};

class TunnelDoor final : public Tunnels {
public:
    static constexpr std::size_t sessions_max = 10'000;

    /// Who is asked outlives stop().
    [[nodiscard]] static Result<std::unique_ptr<TunnelDoor>> start(const TunnelDoorOptions& options,
                                                                   Members& members,
                                                                   TokenPolicy& policy);
    ~TunnelDoor() override;

    /// Reads the certificate and the client authority again; on an error both stay as they were.
    /// Sessions of certificates that do not count any more are ended.
    [[nodiscard]] Result<> reload();
    [[nodiscard]] bool arrive(Fd& host, const SocketAddress& from, std::string_view said) override;
    [[nodiscard]] bool takes_plain() const override { return containarium_; }
    [[nodiscard]] bool open(const TunnelPort& to, const SocketAddress& from, std::string_view name,
                            tunnel::Visitor& visitor) override;
    /// How many visitors go through tunnels now.
    [[nodiscard]] std::size_t streams() const;
    [[nodiscard]] TunnelFigures figures() const;
    /// Hosts are told to go elsewhere, and no new one is taken; visitors and their streams go on.
    void drain();
    /// Ends everything; from then on there are no tunnels.
    void stop();

private:
    struct Session {
        std::uint64_t registration = 0;
        std::string pool, host, identity;
        SocketAddress from = {};
        std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
        std::string_view reason = {};             // of its end, where that comes from here
        tunnel::ShownCertificate certified = {};  // where the client authority vouches for it
        tunnel::Carrier* carrier = nullptr;
    };

    using Authority = std::shared_ptr<const tunnel::ClientAuthority>;
    /// Who a host is.
    struct Who {
        Identity identity;
        tunnel::ShownCertificate certified = {};
    };

    TunnelDoor(const TunnelDoorOptions& options, Members& members, TokenPolicy& policy)
        : containarium_(options.containarium),
          access_(options.access),
          client_authority_(options.client_authority),
          sessions_per_pool_max_(options.sessions_per_pool_max),
          members_(members),
          policy_(policy) {}
    [[nodiscard]] Result<tunnel::SessionId> hear(const Caller& caller, const tunnel::Hello& hello);
    [[nodiscard]] Result<Who> who(const Caller& caller, const tunnel::Hello& hello) const;
    [[nodiscard]] Result<Authority> load_authority() const;
    [[nodiscard]] Authority authority() const;
    [[nodiscard]] bool still_may(const Who& who, std::string_view pool) const;
    void admit(const Caller& caller, const Who& who, tunnel::SessionId id,
               const Registration& registration);
    [[nodiscard]] Result<tunnel::SessionId> enter(const std::string& pool);
    void leave(const std::string& pool);
    void retire_before(tunnel::SessionId id, const tunnel::Hello& hello);
    void ended(tunnel::SessionId id, const Error& why, const tunnel::SessionSums& carried);
    void tell_end(tunnel::SessionId id, const Session& session, std::string_view reason,
                  const tunnel::SessionSums& carried);
    void cut(const std::string& identity);
    void cut_uncertified();

    const bool containarium_;
    AccessLog* const access_;
    const std::filesystem::path client_authority_;
    const std::size_t sessions_per_pool_max_;
    Members& members_;
    TokenPolicy& policy_;
    mutable std::shared_mutex mutex_;  // of the next seven; taken behind that of Members
    std::unordered_map<tunnel::SessionId, Session> sessions_;
    /// With those that are about to be; a retired one counts until its last stream has ended.
    std::map<std::string, std::size_t, std::less<>> sessions_of_pool_;
    std::unordered_map<tunnel::SessionId, Session> stopped_;  // whose carrier comes to its end
    Authority authority_;
    std::vector<std::unique_ptr<tunnel::Carrier>> carriers_;
    bool closed_ = false;
    std::atomic<std::uint64_t> takeovers_ = 0;
    tunnel::SessionId next_id_ = 1;
    std::unique_ptr<TunnelGreeter> greeter_;
};

}  // namespace berth::sentinel
