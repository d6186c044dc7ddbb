// SPDX-License-Identifier: Apache-2.0
// Which tokens and certificates there are, and which pools each may speak for. At rest and in
// memory there is only the SHA-256 of each.
#pragma once

#include "base/clock.h"
#include "base/sqlite.h"
#include "sentinel/registry/identity.h"
#include "tools-schema/contract/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace berth::sentinel {

constexpr std::size_t credentials_max = 10'000;
/// Of those that were revoked, each is refused for ever, and so kept.
constexpr std::size_t revoked_max = 100'000;
constexpr std::size_t pools_per_credential_max = 256;
/// Between these, a token that an operator made up is taken; ours have 49 characters.
constexpr std::size_t token_bytes_min = 8;
constexpr std::size_t token_bytes_max = 512;

enum class CredentialKind : std::uint8_t { token, certificate };
enum class CredentialSource : std::uint8_t {
    made,        // at run time, kept in the database
    configured,  // by the command line or a file: there as long as it is there
};

/// One entry of the policy, without its secret.
struct Credential {
    std::string id;  // 1 to 64 of a-z, 0-9, '.', '_' and '-'
    CredentialKind kind = CredentialKind::token;
    CredentialSource source = CredentialSource::made;
    std::string digest;  // SHA-256 of the token or of the certificate's DER, in hexadecimal
    std::vector<std::string> pools = {};
    std::string created_at = {};
};

/// Credentials, found by their digest and by the identity of who holds them. A look-up by digest
/// takes no constant time, and need not: nobody can choose a text for the digest it has.
class Credentials {
public:
    [[nodiscard]] const Credential* by_digest(std::string_view digest) const;
    [[nodiscard]] const Credential* by_identity(const std::string& identity) const;
    /// The one of that digest, which is made when there is none.
    [[nodiscard]] Credential& at(Credential made);
    void remove(const std::string& digest);
    [[nodiscard]] std::size_t size() const { return by_digest_.size(); }
    [[nodiscard]] auto begin() const { return by_digest_.begin(); }
    [[nodiscard]] auto end() const { return by_digest_.end(); }

private:
    std::unordered_map<std::string, Credential> by_digest_;
    std::unordered_map<std::string, std::string> digests_;  // by identity
};

/// "TOKEN=pool1,pool2": split at the first '=' (so a token has none), blanks around names are
/// dropped, '*' is all pools. invalid_argument does not repeat the token.
struct TokenRule {
    [[nodiscard]] static Result<TokenRule> parse(std::string_view text);
    std::string token;
    std::vector<std::string> pools;
};
/// A file of such rules, one a line, with '#' in front of comments.
[[nodiscard]] Result<std::vector<TokenRule>> parse_token_rules(std::string_view text);

/// All of it may be called from any thread.
class TokenPolicy {
public:
    /// Reads what was made and what was revoked. The database outlives it.
    [[nodiscard]] static Result<std::unique_ptr<TokenPolicy>> open(store::Sqlite& database,
                                                                   const Clock& clock);

    /// The holder of that token; `denied` when there is none. It does not say which pools.
    [[nodiscard]] Result<Identity> authenticate(std::string_view token) const;
    /// The same for a certificate whose possession TLS has shown: SHA-256 of its DER in
    /// hexadecimal.
    [[nodiscard]] Result<Identity> authenticate_certificate(std::string_view fingerprint) const;
    /// `denied` when there is no such token ("invalid token") or it is not for that pool ("token
    /// not authorized for pool \"lab\""). The words are those that Containarium's clients know.
    [[nodiscard]] Result<Identity> authorize(std::string_view token, std::string_view pool) const;
    [[nodiscard]] Result<Identity> authorize_certificate(std::string_view fingerprint,
                                                         std::string_view pool) const;
    /// Whether there is, or was until it was revoked, a rule for that very certificate.
    [[nodiscard]] bool has_rule_for(std::string_view fingerprint) const;
    /// Whether a session of that identity may go on.
    [[nodiscard]] bool is_valid(const std::string& identity) const;

    /// Whether create() would make it, as far as that can be known before.
    [[nodiscard]] Result<> check_new(const std::string& id,
                                     const std::vector<std::string>& pools) const;
    /// A new token, whose text is given here and never again. already_exists for an id that was
    /// ever used. Durable when it returns.
    [[nodiscard]] Result<std::string> create(const std::string& id, std::vector<std::string> pools);
    /// From now on it is refused, whatever the command line says, and after a restart too. Those
    /// who listen are told before this returns. not_found when there is none.
    [[nodiscard]] Result<> revoke(const std::string& id);
    /// Takes up what another process has revoked in the same database, as revoke() does.
    [[nodiscard]] Result<> catch_up();
    [[nodiscard]] std::vector<Credential> list() const;
    /// The token or certificate of that id; not_found.
    [[nodiscard]] Result<Credential> get(const std::string& id) const;

    struct Configured {
        std::vector<TokenRule> tokens;  // rules for one token are merged
        struct Certificate {
            std::string fingerprint;
            std::vector<std::string> pools;
        };
        std::vector<Certificate> certificates;
    };
    /// Replaces what is configured. Sessions of what is gone, or has lost a pool, are ended.
    [[nodiscard]] Result<> configure(const Configured& configured);

    /// Called with an identity that must have no session any more; from the thread that revokes.
    /// It must not wait, nor call back here.
    void on_revoked(std::function<void(const std::string& identity)> listener);

private:
    TokenPolicy(store::Sqlite& database, const Clock& clock) : database_(database), clock_(clock) {}
    [[nodiscard]] Result<> check_unused(const std::string& id) const;
    [[nodiscard]] const Credential* find(CredentialKind kind, std::string_view digest) const;
    [[nodiscard]] const Credential* find(const std::string& identity) const;
    [[nodiscard]] const Credential* called(const std::string& id) const;
    void tell(const std::vector<std::string>& identities);

    store::Sqlite& database_;
    const Clock& clock_;
    mutable std::mutex mutex_;
    Credentials made_, configured_;
    std::unordered_set<std::string> revoked_;  // digests
    std::int64_t last_revoked_ = 0;            // its row
    std::vector<std::function<void(const std::string&)>> listeners_;
};

}  // namespace berth::sentinel
