// SPDX-License-Identifier: Apache-2.0
// The sentinel's control plane over HTTP: hosts register and find each other, people and machines
// look at it. Nobody is answered without saying who they are.
#pragma once

#include "base/http_message.h"
#include "sentinel/control/status.h"
#include "sentinel/registry/claim_json.h"
#include "sentinel/registry/token_policy.h"

#include <functional>
#include <string>
#include <string_view>

namespace berth::sentinel {

struct ControlOptions {
    Dialect dialect = Dialect::berth;
};

/// May be called from any thread.
class ControlApi {
public:
    /// All outlive it.
    ControlApi(Members& members, TokenPolicy& policy, StatusSource& status, ControlOptions options)
        : members_(members), policy_(policy), status_(status), options_(options) {}

    /// Answers any request:
    ///     GET /sentinel/peers?pool=, GET /sentinel/primaries?pool=
    ///     POST /sentinel/primaries, PUT and DELETE /sentinel/primaries/POOL
    ///     GET /status, GET / (a page), GET /metrics, GET /health
    /// and at a unix socket, whose users are administrators:
    ///     GET and POST /sentinel/tokens, DELETE /sentinel/tokens/ID
    ///     PUT /sentinel/hostnames/NAME
    [[nodiscard]] HttpResponse answer(const HttpRequest& request);

    /// The body for what HttpServer refuses by itself.
    [[nodiscard]] static std::string error_body(int status, std::string_view message);

private:
    [[nodiscard]] Result<Identity> who(const HttpRequest& request) const;
    [[nodiscard]] HttpResponse answer(const HttpRequest& request, const Identity& who);
    [[nodiscard]] HttpResponse list(const HttpRequest& request, const Identity& who, bool peers);
    [[nodiscard]] HttpResponse enter(const HttpRequest& request, const Identity& who);
    [[nodiscard]] HttpResponse change(const HttpRequest& request, const Identity& who,
                                      std::string_view pool);

    // control_admin.cpp
    [[nodiscard]] HttpResponse administer(const HttpRequest& request);
    [[nodiscard]] HttpResponse make_token(const HttpRequest& request);
    [[nodiscard]] HttpResponse give_name(const HttpRequest& request, std::string_view name);

    Members& members_;
    TokenPolicy& policy_;
    StatusSource& status_;
    const ControlOptions options_;
};

/// An error as the body of an answer, with the status that its code has.
[[nodiscard]] HttpResponse refusal(const Error& error);
[[nodiscard]] HttpResponse wrong_method(const char* allowed);

}  // namespace berth::sentinel
