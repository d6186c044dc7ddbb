// SPDX-License-Identifier: Apache-2.0
#include "sentinel/route/sip_hash.h"

#include "tests/support/catch.h"

#include <string>

using berth::sentinel::sip_hash;
using berth::sentinel::SipKey;

// The key and the input of appendix A of the paper; the outputs are the reference implementation's.
TEST_CASE("the hash is SipHash-2-4", "[route]") {
    const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
    std::string input;
    for (char byte = 0; byte < 15; ++byte) input += byte;
    CHECK(sip_hash(key, "") == 0x726fdb47dd0e0e31U);
    CHECK(sip_hash(key, std::string_view(input).substr(0, 8)) == 0x93f5f5799a932462U);
    CHECK(sip_hash(key, input) == 0xa129ca6149be45e5U);
}
