// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/http_sessions.h"

#include "base/files.h"

namespace berth::mcp {
namespace {

constexpr std::size_t nonce_bytes = 16;
constexpr const char* purpose = "session";

/// An id is a header: what it says of the client is no more than what matters here.
Json brief(const Json& capabilities) {
    Json out = Json::object();
    for (const char* name : {"elicitation", "sampling", "roots"}) {
        const Json* value = member(capabilities, name);
        if (value == nullptr || !value->is_object()) continue;
        out[name] = Json::object();
        if (value->contains("url")) out[name]["url"] = Json::object();
    }
    return out;
}

}  // namespace

std::string HttpSessions::issue(const Agreed& agreed, const std::string& principal) {
    const Json payload = {{"version", agreed.version},
                          {"capabilities", brief(agreed.capabilities)},
                          {"nonce", random_hex(nonce_bytes)}};
    return seals_.seal(payload, session_good_for, {.purpose = purpose, .principal = principal});
}

std::shared_ptr<HttpSession> HttpSessions::find(const std::string& id,
                                                const std::string& principal) {
    // Always, and not only for what is not kept: the id is good for its owner alone.
    const auto payload = seals_.open(id, {.purpose = purpose, .principal = principal});
    if (!payload) return nullptr;
    const std::scoped_lock lock(mutex_);
    if (ended_.contains(id)) return nullptr;
    if (const auto found = kept_.find(id); found != kept_.end()) {
        uses_.splice(uses_.begin(), uses_, found->second.use);
        return found->second.session;
    }
    if (kept_.size() >= kept_sessions_max) {
        kept_.erase(uses_.back());
        uses_.pop_back();
    }
    const auto session = std::make_shared<HttpSession>();
    session->session =
        std::make_shared<Session>(payload->at("version"), payload->at("capabilities"));
    uses_.push_front(id);
    kept_.emplace(id, Kept{.session = session, .use = uses_.begin()});
    return session;
}

void HttpSessions::end(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = kept_.find(id); found != kept_.end()) {
        uses_.erase(found->second.use);
        kept_.erase(found);
    }
    if (!ended_.emplace(id).second) return;
    ended_in_order_.emplace_back(id);
    if (ended_in_order_.size() <= ended_sessions_max) return;
    ended_.erase(ended_in_order_.front());
    ended_in_order_.pop_front();
}

}  // namespace berth::mcp
