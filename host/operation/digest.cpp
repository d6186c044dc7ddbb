// SPDX-License-Identifier: Apache-2.0
#include "host/operation/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace berth::operation {
namespace {

constexpr std::array how_to_call{"request_id", "confirm_token", "background", "dry_run",
                                 "response_format"};

/// The same value with its keys in order and no nulls; parse_json has bounded its depth.
Json canonical(const Json& value) {
    if (value.is_array()) {
        Json out = Json::array();
        for (const Json& item : value) out.push_back(canonical(item));
        return out;
    }
    if (!value.is_object()) return value;
    std::map<std::string, Json> members;
    for (const auto& [key, member] : value.items()) {
        if (!member.is_null()) members.emplace(key, canonical(member));
    }
    Json out = Json::object();
    for (auto& [key, member] : members) out[key] = std::move(member);
    return out;
}

}  // namespace

std::string digest_of(const Json& arguments) {
    Json asked = arguments;
    if (asked.is_object()) {
        for (const auto* key : how_to_call) asked.erase(key);
    }
    const std::string text = to_text(canonical(asked));
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    (void)EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string out;
    for (unsigned int at = 0; at < size; ++at) out += fmt::format("{:02x}", digest.at(at));
    return out;
}

}  // namespace berth::operation
