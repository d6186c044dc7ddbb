// SPDX-License-Identifier: Apache-2.0
// What single elements do is held against what the whole document does, in the real kernel.
#include "host/net/nft_elements.h"

#include "base/subprocess.h"
#include "host/net/network.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

#include <fmt/format.h>
#include <linux/netlink.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

using namespace berth;
using net::Forward;
using Forwards = std::vector<Forward>;

namespace {

const Forward web{"tcp", 8080, "10.86.0.2", 80};
const Forward names{"udp", 53, "10.86.0.3", 5353};
const Forward web_elsewhere{"tcp", 8080, "10.86.0.3", 8000};

net::FirewallSpec document_of(Forwards forwards) {
    return {.bridge = "berth0", .subnet = "10.86.0.0/16", .forwards = std::move(forwards)};
}

void drop_handles(nlohmann::json& value) {
    if (value.is_object()) value.erase("handle");
    for (auto& part : value) {
        if (part.is_structured()) drop_handles(part);
    }
    // A map has no order.
    if (value.is_object() && value.contains("elem"))
        std::sort(value["elem"].begin(), value["elem"].end());
}

/// The ruleset as nft tells it, without what differs from one writing to the next.
std::string ruleset() {
    auto rules = nlohmann::json::parse(
        run_checked({.argv = {"nft", "-j", "list", "ruleset"}}).value_or("{}"));
    drop_handles(rules);
    return rules.dump();
}

std::string ruleset_of_document(const Forwards& forwards) {
    if (!net::apply_firewall(document_of(forwards))) return "refused";
    return ruleset();
}

net::HostNetwork network() {
    return net::HostNetwork({.bridge = "berth0",
                             .subnet = net::Subnet::parse("10.86.0.0/16").value(),
                             .state_dir = "/nonexistent"});
}

std::string answer(int error, std::uint32_t length = sizeof(nlmsghdr) + sizeof(nlmsgerr)) {
    std::string bytes(sizeof(nlmsghdr) + sizeof(nlmsgerr), '\0');
    nlmsghdr header{};
    header.nlmsg_len = length;
    header.nlmsg_type = NLMSG_ERROR;
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &error, sizeof(error));
    return bytes;
}

}  // namespace

TEST_CASE("a difference is what has gone and what has come", "[net]") {
    const auto none = net::difference({web, names}, {names, web});
    CHECK(none.size() == 0);
    const auto moved = net::difference({web, names}, {names, web_elsewhere});
    REQUIRE(moved.removed.size() == 1);
    REQUIRE(moved.added.size() == 1);
    CHECK(moved.removed[0].ipv4 == "10.86.0.2");
    CHECK(moved.added[0].ipv4 == "10.86.0.3");
}

TEST_CASE("what is no forward becomes no message", "[net]") {
    for (const Forward& wrong :
         {Forward{"tcp", 1, "no address", 1}, Forward{"tcp", 0, "10.86.0.2", 1},
          Forward{"tcp", 1, "10.86.0.2", 65536}, Forward{"icmp", 1, "10.86.0.2", 1}}) {
        const auto refused = net::element_batch({.removed = {}, .added = {wrong}});
        CHECK_FALSE(refused);
    }
    CHECK(
        net::element_batch({.removed = {}, .added = Forwards(net::map_change_elements_max, web)}));
    CHECK_FALSE(net::element_batch(
        {.removed = {web}, .added = Forwards(net::map_change_elements_max, web)}));
}

TEST_CASE("the first refusal is the answer, and acknowledgements are counted", "[net]") {
    net::BatchAnswers answers;
    REQUIRE(net::read_answers(answer(0) + answer(-ENOENT), answers));
    REQUIRE(net::read_answers(answer(-EBUSY), answers));
    CHECK(answers.acknowledged == 1);
    CHECK(answers.error == ENOENT);
}

TEST_CASE("an answer that is cut short or lies about its length is refused", "[net]") {
    const auto whole = answer(0);
    net::BatchAnswers answers;
    for (std::size_t length = 1; length < whole.size(); ++length)
        CHECK_FALSE(net::read_answers(std::string_view(whole).substr(0, length), answers));
    CHECK_FALSE(net::read_answers(answer(0, 0), answers));
    CHECK_FALSE(net::read_answers(answer(0, 0xFFFFFFFF), answers));
    CHECK_FALSE(net::read_answers(answer(7), answers));
    CHECK(answers.acknowledged == 0);
}

TEST_CASE("single elements leave what the whole document leaves", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto steps = std::vector<Forwards>{{web},   {web, names}, {web_elsewhere, names},
                                                 {names}, {},           {web, names}};
        std::vector<std::string> expected;
        for (const auto& step : steps) expected.push_back(ruleset_of_document(step));
        auto forwards = network();
        if (!forwards.apply({}) || !net::change_elements({.removed = {}, .added = {web}}) ||
            ruleset() != expected[0] || !net::change_elements({.removed = {web}, .added = {}}))
            return false;
        return std::ranges::equal(steps, expected,
                                  [&forwards](const Forwards& step, const std::string& rules) {
                                      return forwards.apply(step) && ruleset() == rules;
                                  });
    }));
}

TEST_CASE("a batch of which one part is refused changes nothing", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto before = ruleset_of_document({web});
        const auto refused = net::change_elements({.removed = {names}, .added = {names}});
        return !refused && refused.error().code == ErrorCode::unavailable && ruleset() == before;
    }));
}

TEST_CASE("a table that somebody has emptied or removed is written anew", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto expected = ruleset_of_document({names});
        for (const auto* harm : {"flush map inet berth forwards", "delete table inet berth"}) {
            auto forwards = network();
            if (!forwards.apply({web}) ||
                !run_checked({.argv = {"nft", "-f", "-"}, .input = harm}) ||
                !forwards.apply({names}) || ruleset() != expected)
                return false;
        }
        return true;
    }));
}

TEST_CASE("more forwards than one batch may have go by the whole table", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        Forwards many;
        for (std::int64_t port = 1; port <= 300; ++port)
            many.push_back({"tcp", 20000 + port, "10.86.0.2", port});
        auto forwards = network();
        return forwards.apply({}) && forwards.apply(many) && forwards.apply({many[7]}) &&
               ruleset() == ruleset_of_document({many[7]});
    }));
}
