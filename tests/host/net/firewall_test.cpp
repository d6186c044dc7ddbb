// SPDX-License-Identifier: Apache-2.0
// The document is held against the real nft, in a network namespace of its own.
#include "host/net/firewall.h"

#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

using namespace berth;
using net::FirewallSpec;

namespace {

const FirewallSpec two_forwards{
    .bridge = "berth0",
    .subnet = "10.86.0.0/16",
    .forwards = {{"tcp", 8080, "10.86.0.2", 80}, {"udp", 53, "10.86.0.3", 5353}}};

std::string table() {
    return run_checked({.argv = {"nft", "-j", "list", "table", "inet", "berth"}}).value_or("");
}

}  // namespace

TEST_CASE("the document names each forward once and is replaced as a whole", "[net]") {
    const auto text = net::firewall_document(two_forwards);
    CHECK(text.starts_with("table inet berth\ndelete table inet berth\n"));
    CHECK(text.contains("tcp . 8080 : 10.86.0.2 . 80"));
    CHECK(text.contains("udp . 53 : 10.86.0.3 . 5353"));
    CHECK_FALSE(
        net::firewall_document({.bridge = "berth0", .subnet = "10.86.0.0/16", .forwards = {}})
            .contains("elements"));
}

TEST_CASE("the kernel takes the table, replaces it, and gives it up again", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        if (!net::apply_firewall(two_forwards) || !table().contains("10.86.0.3")) return false;
        auto fewer = two_forwards;
        fewer.forwards.pop_back();
        if (!net::apply_firewall(fewer) || table().contains("10.86.0.3")) return false;
        return net::remove_firewall() && net::remove_firewall() && table().empty();
    }));
}

TEST_CASE("a table that the kernel refuses leaves the old one in place", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        if (!net::apply_firewall(two_forwards)) return false;
        auto wrong = two_forwards;
        wrong.forwards = {{"tcp", 1, "no address", 1}};
        const auto refused = net::apply_firewall(wrong);
        return !refused && refused.error().code == ErrorCode::unavailable &&
               table().contains("10.86.0.3");
    }));
}
