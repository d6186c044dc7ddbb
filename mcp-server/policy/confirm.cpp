// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/policy/confirm.h"

#include "base/files.h"
#include "mcp-server/auth/crypto.h"

#include <fmt/format.h>

namespace berth::policy {
namespace {

constexpr std::size_t nonce_bytes = 16;

std::unexpected<Error> not_good(std::string_view why) {
    return fail(make_error(ErrorCode::invalid_argument, fmt::format("the confirm_token {}", why))
                    .at("/confirm_token")
                    .next("call again without confirm_token for a new preview and token"));
}

}  // namespace

std::string arguments_digest(const Json& arguments) {
    nlohmann::json sorted = arguments;  // unlike Json, it keeps keys in alphabetical order
    if (sorted.is_object()) {
        for (const char* key : {"confirm_token", "request_id", "dry_run"}) sorted.erase(key);
    }
    return auth::sha256_hex(sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

ConfirmTokens::ConfirmTokens(auth::SealKey key, const Clock& clock)
    : seals_(std::move(key), clock),
      spent_(clock),
      clock_(&clock),
      process_(random_hex(nonce_bytes)) {}

auth::SealFor ConfirmTokens::bound_to(std::string_view principal, std::string_view tool,
                                      std::string_view arguments_digest) const {
    return {.purpose = "confirm",
            .principal = std::string(principal),
            .about = fmt::format("{}\n{}\n{}", process_, tool, arguments_digest)};
}

std::string ConfirmTokens::issue(std::string_view principal, std::string_view tool,
                                 std::string_view arguments_digest,
                                 std::string_view state_digest) const {
    return seals_.seal(Json{{"n", random_hex(nonce_bytes)}, {"s", state_digest}},
                       confirm_token_good_for, bound_to(principal, tool, arguments_digest));
}

Result<std::string> ConfirmTokens::redeem(std::string_view token, std::string_view principal,
                                          std::string_view tool,
                                          std::string_view arguments_digest) {
    const auto opened = seals_.open(token, bound_to(principal, tool, arguments_digest));
    if (!opened) {
        return not_good(opened.error().message == auth::seal_has_expired ? "has expired"
                                                                         : "is not for this call");
    }
    if (!opened->is_object() || !opened->contains("n") || !opened->contains("s")) {
        return not_good("is not for this call");
    }
    // Remembered for as long as any token that was issued by now can live.
    if (!spent_.spend((*opened)["n"].get<std::string>(), clock_->wall() + confirm_token_good_for)) {
        return not_good("was used before");
    }
    return (*opened)["s"].get<std::string>();
}

}  // namespace berth::policy
