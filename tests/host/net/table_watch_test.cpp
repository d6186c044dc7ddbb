// SPDX-License-Identifier: Apache-2.0
#include "host/net/table_watch.h"

#include "base/subprocess.h"
#include "host/net/network.h"
#include "host/net/nft_elements.h"
#include "host/net/nft_table.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>

using namespace berth;
using namespace std::chrono_literals;

namespace {

const net::Forward web{"tcp", 8080, "10.86.0.2", 80};
const net::Forward names{"udp", 53, "10.86.0.3", 5353};

net::NetworkOptions options() {
    return {.bridge = "berth0",
            .subnet = net::Subnet::parse("10.86.0.0/16").value(),
            .state_dir = "/nonexistent"};
}

bool nft(const std::string& document) {
    return run_checked({.argv = {"nft", "-f", "-"}, .input = document}).has_value();
}

/// How often a watch has checked.
class Checks {
public:
    int add() {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
        return ++count_;
    }
    /// Whether it comes to be `count`.
    bool reach(int count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 5s, [&] { return count_ >= count; });
    }
    int count() {
        const std::lock_guard lock(mutex_);
        return count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};

}  // namespace

TEST_CASE("whatever is missing of the table or added to it is found without a change of ours",
          "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        net::HostNetwork network(options());
        const std::vector<net::Forward> forwards{web, names};
        if (!network.apply(forwards)) return false;
        for (const auto* harm :
             {"flush ruleset", "delete table inet berth", "flush chain inet berth guard",
              "flush chain inet berth guard\ndelete chain inet berth guard",
              "insert rule inet berth input accept", "flush map inet berth forwards",
              "add element inet berth forwards { tcp . 1 : 10.86.0.9 . 22 }"}) {
            const auto untouched = network.apply(forwards);
            if (!untouched || *untouched || !nft(harm)) return false;
            const auto repaired = network.apply(forwards);
            if (!repaired || !*repaired) return false;
        }
        const auto others = nft("table inet others {\nchain input {\naccept\n}\n}\n");
        const auto untouched = network.apply(forwards);
        return others && untouched && !*untouched;
    }));
}

TEST_CASE("the forwards that are read are those that were written", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto none = net::read_table();
        net::HostNetwork network(options());
        std::vector<net::Forward> many;
        for (std::int64_t port = 1; port <= 3000; ++port)
            many.push_back({port % 2 == 0 ? "tcp" : "udp", 20000 + port, "10.86.1.200", port});
        if (!network.apply(many)) return false;
        const auto read = net::read_table();
        return none && none->rules.empty() && none->forwards.empty() && read &&
               net::difference(many, read->forwards).size() == 0;
    }));
}

TEST_CASE("a burst of changes leads to few checks", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        net::HostNetwork network(options());
        if (!network.apply({})) return false;
        Checks checks;
        auto watch = net::TableWatch::start([&checks] { return checks.add() > 0; });
        if (!watch || !checks.reach(1)) return false;
        const auto begun = std::chrono::steady_clock::now();
        for (int count = 0; count < 200; ++count) {
            if (!network.apply({web}) || !network.apply({})) return false;
        }
        const bool noticed = checks.reach(2);
        watch->reset();
        const auto passed = std::chrono::steady_clock::now() - begun;
        return noticed && checks.count() <= 2 + passed / net::check_pause;
    }));
}

TEST_CASE("changes of other tables lead to no check", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        net::HostNetwork network(options());
        if (!network.apply({})) return false;
        Checks checks;
        std::atomic<bool> ours = false;
        std::atomic<bool> second_is_of_ours = false;
        const auto watch = net::TableWatch::start([&] {
            if (checks.add() == 2) second_is_of_ours = ours.load();
            return true;
        });
        if (!watch || !checks.reach(1)) return false;
        for (int count = 0; count < 20; ++count) {
            if (!nft("table inet others {\nchain input {\naccept\n}\n}\n") ||
                !nft("delete table inet others"))
                return false;
        }
        ours = true;
        return network.apply({web}) && checks.reach(2) && second_is_of_ours;
    }));
}

TEST_CASE("notifications that were lost mean a check", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        Checks checks;
        std::latch written(1);  // until then it does not read
        const auto watch = net::TableWatch::start([&] {
            checks.add();
            written.wait();
            return true;
        });
        if (!watch) return false;
        std::string document = "table inet others {\n";
        for (int chain = 0; chain < 20000; ++chain)
            document += fmt::format("chain of_a_name_of_some_length_{} {{ }}\n", chain);
        const bool lost = nft(document + "}\n");
        written.count_down();
        return lost && checks.reach(2);
    }));
}
