// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/transport/session_ids.h"

#include "base/files.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace berth::mcp {
namespace {

constexpr std::size_t nonce_bytes = 16;

}  // namespace

std::string SessionIds::signature_of(std::string_view content) const {
    const std::string text = fmt::format("berth mcp session\n{}", content);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());  // NOLINT: C API
    (void)::HMAC(::EVP_sha256(), key_.data(), static_cast<int>(key_.size()), bytes, text.size(),
                 digest.data(), &length);
    std::string out;
    for (unsigned int at = 0; at < length; ++at) out += fmt::format("{:02x}", digest[at]);
    return out;
}

std::string SessionIds::issue(std::string_view version) const {
    const std::string content = fmt::format("{}.{}", version, random_hex(nonce_bytes));
    return content + "." + signature_of(content);
}

std::optional<std::string> SessionIds::version_of(std::string_view id) const {
    const std::size_t dot = id.rfind('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view given = id.substr(dot + 1);
    const std::string wanted = signature_of(id.substr(0, dot));
    if (given.size() != wanted.size() ||
        ::CRYPTO_memcmp(given.data(), wanted.data(), wanted.size()) != 0) {
        return std::nullopt;
    }
    const std::scoped_lock lock(mutex_);
    if (ended_.contains(id)) return std::nullopt;
    return std::string(id.substr(0, id.find('.')));
}

void SessionIds::end(std::string_view id) {
    const std::scoped_lock lock(mutex_);
    if (!ended_.emplace(id).second) return;
    ended_in_order_.emplace_back(id);
    if (ended_in_order_.size() <= ended_sessions_max) return;
    ended_.erase(ended_in_order_.front());
    ended_in_order_.pop_front();
}

}  // namespace berth::mcp
