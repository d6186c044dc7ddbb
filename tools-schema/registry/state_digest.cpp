// SPDX-License-Identifier: Apache-2.0
#include "tools-schema/registry/state_digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace berth {

std::string state_digest(std::string_view tool, const Json& target) {
    // A tool's name has no line break, so no two pairs give the same text.
    const auto text = fmt::format("{}\n{}", tool, to_text(target));
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    (void)EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string out = "sha256:";
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

}  // namespace berth
