// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/attributes.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth;
using namespace berth::transfer;

namespace {

constexpr std::int64_t base = 1'000'000;
const std::string cap = "security.capability";

std::string word(std::uint32_t value) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((value >> shift) & 0xff);
    return bytes;
}

std::string capability_2() {
    return word(0x02000001) + word(0x2000) + word(0) + word(0) + word(0);
}

std::string capability_3(std::uint32_t root) {
    return word(0x03000001) + word(0x2000) + word(0) + word(0) + word(0) + word(root);
}

/// A list that names the user `id`, and the owner.
std::string access_list(std::uint32_t id) {
    const auto entry = [](std::uint32_t tag, std::uint32_t who) {
        return word(tag | 7U << 16) + word(who);
    };
    return word(2) + entry(0x01, 0xffffffff) + entry(0x02, id) + entry(0x20, 0xffffffff);
}

}  // namespace

TEST_CASE("capabilities name no host id in a stream", "[transfer]") {
    CHECK(inside_attribute(cap, capability_3(base), base).value() == capability_2());
    CHECK(inside_attribute(cap, capability_2(), base).value() == capability_2());
    CHECK(inside_attribute(cap, capability_3(base + 7), base).value() == capability_3(7));
    CHECK(outside_attribute(cap, capability_2(), 2 * base).value() == capability_3(2 * base));
    CHECK(outside_attribute(cap, capability_3(7), 2 * base).value() == capability_3(2 * base + 7));
    CHECK_FALSE(outside_attribute(cap, capability_3(65536), base));
    CHECK_FALSE(outside_attribute(cap, "short", base));
}

TEST_CASE("access lists name owners as seen inside", "[transfer]") {
    const auto* const name = "system.posix_acl_access";
    CHECK(inside_attribute(name, access_list(base + 33), base).value() == access_list(33));
    CHECK(inside_attribute(name, access_list(5), base).value() == access_list(65534));
    CHECK(outside_attribute(name, access_list(33), base).value() == access_list(base + 33));
    CHECK_FALSE(outside_attribute(name, access_list(65536), base));
    CHECK_FALSE(outside_attribute(name, "xx", base));
}

TEST_CASE("what belongs to the host or to a mount stays behind", "[transfer]") {
    for (const auto* name : {"trusted.overlay.origin", "trusted.overlay.impure", "security.selinux",
                             "trusted.other", "system.nfs4_acl"}) {
        CAPTURE(name);
        CHECK_FALSE(inside_attribute(name, "x", base).value().has_value());
        CHECK_FALSE(outside_attribute(name, "x", base));
    }
    CHECK(inside_attribute("trusted.overlay.redirect", "/x", base).error().code ==
          ErrorCode::unsupported);
    CHECK(inside_attribute("trusted.overlay.opaque", "y", base).value() == "y");
    CHECK(inside_attribute("user.note", "\xff", base).value() == "\xff");
    CHECK(inside_id(base + 5, base) == 5);
    CHECK(inside_id(5, base) == 65534);
}
