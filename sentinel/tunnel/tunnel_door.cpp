// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tunnel/tunnel_door.h"

#include "base/log.h"
#include "sentinel/tls/client_hello.h"
#include "sentinel/tunnel/containarium_hello.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace berth::sentinel {
namespace {

static_assert(tunnel_protocol == tunnel::alpn);

constexpr std::string_view relieved = "relieved";  // why a session has ended, or is about to

Claim claim_of(const tunnel::Hello& hello, tunnel::SessionId session, const Identity& identity) {
    return {.pool = hello.pool,
            .host = hello.host,
            .hostname = hello.hostname,
            .aliases = hello.aliases,
            .base_domains = hello.base_domains,
            .destination = TunnelPort{.session = session, .port = hello.port},
            .ports = hello.ports,
            .lease = Lease::session,
            .generation = hello.generation,
            .identity = identity.id};
}

/// Who shows a certificate that the authority vouches for, when it names that pool. Names that no
/// pool can have do not count: nothing in a certificate means all pools.
Result<Identity> certified(const tunnel::ClientAuthority& authority,
                           const tunnel::ShownCertificate& shown, std::string_view pool) {
    // Not inside the braces: gcc forgets what is made there already when the function returns.
    auto pools = BERTH_TRY(authority.pools_of(shown));
    Identity identity{.id = "certified:" + shown.fingerprint, .pools = std::move(pools)};
    std::erase_if(identity.pools, [](const std::string& name) { return !is_pool_name(name); });
    if (identity.may(pool)) return identity;
    const std::string problem =
        identity.pools.empty() ? "the certificate names no pool"
                               : fmt::format("the certificate is not for pool \"{}\", but for {}",
                                             pool, fmt::join(identity.pools, ", "));
    return fail(make_error(ErrorCode::denied, problem)
                    .next(fmt::format("have it issued with the subject alternative name URI:{}{}",
                                      tunnel::pool_uri_scheme, pool)));
}

/// Why a session has ended of which nothing else is known, in a word.
std::string_view reason_of(const Error& why) {
    if (why.code == ErrorCode::denied) return "expired";
    if (why.code == ErrorCode::timed_out) return "silent";
    return why.code == ErrorCode::invalid_argument ? "malformed" : "closed";
}

}  // namespace

Result<std::unique_ptr<TunnelDoor>> TunnelDoor::start(const TunnelDoorOptions& options,
                                                      Members& members, TokenPolicy& policy) {
    std::unique_ptr<TunnelDoor> door(new TunnelDoor(options, members, policy));
    door->authority_ = BERTH_TRY(door->load_authority());
    for (std::size_t thread = 0; thread < options.threads; ++thread) {
        door->carriers_.push_back(BERTH_TRY(tunnel::Carrier::start(
            {.ended = [&one = *door](
                          tunnel::SessionId id, const Error& why,
                          const tunnel::SessionSums& carried) { one.ended(id, why, carried); }},
            options.limits)));
    }
    door->greeter_ = BERTH_TRY(
        TunnelGreeter::start(options.own, options.hellos, options.access,
                             [&one = *door](const Caller& caller, const tunnel::Hello& hello) {
                                 return one.hear(caller, hello);
                             }));
    policy.on_revoked([&one = *door](const std::string& identity) { one.cut(identity); });
    return door;
}

TunnelDoor::~TunnelDoor() {
    stop();
}

void TunnelDoor::stop() {
    {
        const std::scoped_lock lock(mutex_);
        closed_ = true;
    }
    if (greeter_) greeter_->stop();  // it stays, since loops and the status may be at it
    // A thread of theirs may wait for the lock, so that they are ended without it. Nobody changes
    // the list any more.
    for (auto& carrier : carriers_) {
        std::unique_ptr<tunnel::Carrier> one;
        {
            const std::scoped_lock lock(mutex_);
            one.swap(carrier);
            for (auto at = sessions_.begin(); at != sessions_.end();) {
                const auto session = at++;
                if (session->second.carrier != one.get()) continue;
                stopped_.insert(sessions_.extract(session));
            }
        }
    }
}

TunnelFigures TunnelDoor::figures() const {
    const std::shared_lock lock(mutex_);
    TunnelFigures sum{.sessions = sessions_.size(), .takeovers = takeovers_};
    for (const auto& carrier : carriers_) {
        if (!carrier) continue;  // it has been stopped
        sum.streams_open += carrier->streams();
        sum.streams += carrier->streams_total();
        sum.bytes_from_clients += carrier->bytes_from_sockets();
        sum.bytes_to_clients += carrier->bytes_to_sockets();
    }
    for (std::size_t at = 0; at < hello_outcome_names.size(); ++at) {
        sum.hellos.emplace_back(hello_outcome_names[at],
                                greeter_->outcomes().get(static_cast<HelloOutcome>(at)));
    }
    return sum;
}

void TunnelDoor::drain() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    for (auto& [id, session] : sessions_) session.reason = "drained";
    for (const auto& carrier : carriers_) carrier->dismiss_all();
}

Result<> TunnelDoor::reload() {
    auto authority = BERTH_TRY(load_authority());
    BERTH_TRY(greeter_->reload());
    {
        const std::scoped_lock lock(mutex_);
        authority_.swap(authority);
    }
    cut_uncertified();
    return {};
}

bool TunnelDoor::arrive(Fd& host, const SocketAddress& from, std::string_view said) {
    {
        const std::shared_lock lock(mutex_);
        if (closed_) return false;
        if (sessions_.size() >= sessions_max) {
            greeter_->outcomes().add(HelloOutcome::no_place);
            return false;
        }
    }
    return greeter_->take(host, from, said);
}

bool TunnelDoor::open(const TunnelPort& to, const SocketAddress& from, std::string_view name,
                      tunnel::Visitor& visitor) {
    const std::shared_lock lock(mutex_);
    const auto session = sessions_.find(to.session);
    if (session == sessions_.end() || session->second.reason == relieved) return false;
    session->second.carrier->open(to.session,
                                  {.port = to.port, .source = from, .name = std::string(name)},
                                  std::move(visitor));
    return true;
}

std::size_t TunnelDoor::streams() const {
    const std::shared_lock lock(mutex_);
    std::size_t sum = 0;
    for (const auto& carrier : carriers_) sum += carrier ? carrier->streams() : 0;
    return sum;
}

Result<TunnelDoor::Authority> TunnelDoor::load_authority() const {
    if (client_authority_.empty()) return nullptr;
    return tunnel::ClientAuthority::load(client_authority_);
}

TunnelDoor::Authority TunnelDoor::authority() const {
    const std::shared_lock lock(mutex_);
    return authority_;
}

/// A rule for the very certificate counts before what an authority says.
Result<TunnelDoor::Who> TunnelDoor::who(const Caller& caller, const tunnel::Hello& hello) const {
    if (!hello.token.empty()) {
        return Who{.identity = BERTH_TRY(policy_.authorize(hello.token, hello.pool))};
    }
    auto shown = caller.channel.shown();
    if (shown.fingerprint.empty()) {
        return fail(make_error(ErrorCode::denied, "neither a token nor a certificate was shown")
                        .next("give the tunnel a token that is for its pool"));
    }
    const auto authority = this->authority();
    if (!authority || policy_.has_rule_for(shown.fingerprint)) {
        return Who{.identity =
                       BERTH_TRY(policy_.authorize_certificate(shown.fingerprint, hello.pool))};
    }
    Identity identity = BERTH_TRY(certified(*authority, shown, hello.pool));
    return Who{.identity = std::move(identity), .certified = std::move(shown)};
}

bool TunnelDoor::still_may(const Who& who, std::string_view pool) const {
    if (!who.certified.chain) return policy_.is_valid(who.identity.id);
    const auto authority = this->authority();
    return authority && !policy_.has_rule_for(who.certified.fingerprint) &&
           certified(*authority, who.certified, pool);
}

Result<tunnel::SessionId> TunnelDoor::hear(const Caller& caller, const tunnel::Hello& hello) {
    const Who who = BERTH_TRY(this->who(caller, hello));
    const tunnel::SessionId id = BERTH_TRY(enter(hello.pool));
    const auto claimed = members_.claim(
        claim_of(hello, id, who.identity),
        [&](const Registration& registration) { admit(caller, who, id, registration); });
    if (!claimed) {
        const std::scoped_lock lock(mutex_);
        leave(hello.pool);
        return fail(claimed.error());
    }
    retire_before(id, hello);
    // Revoked meanwhile: whoever revoked it has ended what there was before this.
    if (!still_may(who, hello.pool)) cut(who.identity.id);
    log::info("a tunnel is open", {{"pool", hello.pool},
                                   {"host", hello.host},
                                   {"from", caller.from.to_string()},
                                   {"session", std::to_string(id)}});
    return id;
}

/// A place for one more session of that pool, so that who has a token for one pool does not take
/// them all. It is for a while only that there is none, and so a host tries again.
Result<tunnel::SessionId> TunnelDoor::enter(const std::string& pool) {
    const std::scoped_lock lock(mutex_);
    std::size_t& count = sessions_of_pool_[pool];
    if (count >= sessions_per_pool_max_) {
        return fail(make_error(ErrorCode::busy, fmt::format("pool \"{}\" has {} tunnels already",
                                                            pool, sessions_per_pool_max_))
                        .next("end one of them, or have the sentinel started with a larger "
                              "--tunnels-per-pool-max"));
    }
    ++count;
    return next_id_++;
}

/// With the lock.
void TunnelDoor::leave(const std::string& pool) {
    const auto found = sessions_of_pool_.find(pool);
    if (--found->second == 0) sessions_of_pool_.erase(found);
}

/// The answer is written first, then the session can be found, and then its names lead to it: no
/// byte of a stream can come before the answer.
void TunnelDoor::admit(const Caller& caller, const Who& who, tunnel::SessionId id,
                       const Registration& registration) {
    caller.channel.send(caller.containarium ? containarium_answer(std::nullopt)
                                            : encode(tunnel::HelloAnswer{.session = id}));
    const Claim& claim = registration.claim;
    const std::scoped_lock lock(mutex_);
    tunnel::Carrier& carrier = *carriers_[id % carriers_.size()];
    sessions_.emplace(id, Session{.registration = registration.id,
                                  .pool = claim.pool,
                                  .host = claim.host,
                                  .identity = claim.identity,
                                  .from = caller.from,
                                  .certified = who.certified,
                                  .carrier = &carrier});
    carrier.adopt(
        id, {.socket = std::move(caller.socket),
             .tls = std::move(caller.channel),
             .side = tunnel::MuxSide::odd,
             .early = std::string(caller.early),
             .containarium = caller.containarium,
             .until = who.certified.chain ? std::optional(who.certified.until) : std::nullopt});
}

/// The sessions that the host had before take no more streams, and end with those they have.
void TunnelDoor::retire_before(tunnel::SessionId id, const tunnel::Hello& hello) {
    const std::scoped_lock lock(mutex_);
    for (auto& [other, session] : sessions_) {
        if (other != id && session.pool == hello.pool && session.host == hello.host) {
            session.reason = relieved;
            session.carrier->retire(other);
            ++takeovers_;
        }
    }
}

void TunnelDoor::ended(tunnel::SessionId id, const Error& why, const tunnel::SessionSums& carried) {
    Session session;
    {
        const std::scoped_lock lock(mutex_);
        if (const auto gone = stopped_.extract(id)) {
            const Session& one = gone.mapped();
            return tell_end(id, one, one.reason.empty() ? "stopped" : one.reason, carried);
        }
        const auto found = sessions_.find(id);
        if (found == sessions_.end()) return;
        session = std::move(found->second);
        sessions_.erase(found);
        leave(session.pool);
    }
    log::info("a tunnel is closed", {{"pool", session.pool},
                                     {"host", session.host},
                                     {"session", std::to_string(id)},
                                     {"why", why.message}});
    tell_end(id, session, session.reason.empty() ? reason_of(why) : session.reason, carried);
    // Ends that registration alone, and not the one of a session that has taken over.
    (void)members_.release(session.registration);
}

void TunnelDoor::tell_end(tunnel::SessionId id, const Session& session, std::string_view reason,
                          const tunnel::SessionSums& carried) {
    if (access_ == nullptr) return;
    const auto lasted = std::chrono::steady_clock::now() - session.begun;
    access_->put(
        {.ended_at = std::chrono::system_clock::now(),
         .source = session.from,
         .pool = session.pool,
         .destination = TunnelPort{.session = id, .port = 0},
         .outcome = "tunnel_ended",
         .reason = reason,
         .bytes_from_client = carried.bytes_from_sockets,
         .bytes_to_client = carried.bytes_to_sockets,
         .duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(lasted).count(),
         .streams = carried.streams});
}

void TunnelDoor::cut(const std::string& identity) {
    const std::scoped_lock lock(mutex_);
    for (auto& [id, session] : sessions_) {
        if (session.identity != identity) continue;
        session.reason = "revoked";
        session.carrier->cut(id,
                             make_error(ErrorCode::denied, "its token or certificate was revoked"));
    }
}

/// Looks at certificates without the lock, since a signature takes a tenth of a millisecond.
void TunnelDoor::cut_uncertified() {
    std::vector<std::pair<Who, std::string>> all;
    {
        const std::shared_lock lock(mutex_);
        for (const auto& [id, session] : sessions_) {
            if (!session.certified.chain) continue;
            all.emplace_back(Who{.identity = {.id = session.identity, .pools = {}},
                                 .certified = session.certified},
                             session.pool);
        }
    }
    for (const auto& [who, pool] : all) {
        if (!still_may(who, pool)) cut(who.identity.id);
    }
}

}  // namespace berth::sentinel
