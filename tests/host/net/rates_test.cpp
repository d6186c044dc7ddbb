// SPDX-License-Identifier: Apache-2.0
// Rates on real interfaces, in a network namespace of the test's own: frames that are sent from
// one end of a pair are counted at the other. Needs root.
#include "host/net/rates.h"

#include "base/fd.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "host/net/links.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdlib>

using namespace berth;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t frame_bytes = 1400;

std::int64_t received(const std::string& link) {
    const auto text = read_file("/sys/class/net/" + link + "/statistics/rx_bytes");
    return text ? std::strtoll(text->c_str(), nullptr, 10) : -1;
}

/// Sends frames out of `from`, as many as it takes, and says how many bytes a second `to` gets.
std::int64_t bytes_a_second(const std::string& from, const std::string& to) {
    const Fd raw(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_ifindex = static_cast<int>(::if_nametoindex(from.c_str()));
    where.sll_halen = ETH_ALEN;
    std::array<char, frame_bytes> frame{};
    frame.fill('x');
    frame[12] = '\x08', frame[13] = '\x00';
    const auto before = received(to);
    const auto begun = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begun < 1s) {
        (void)::sendto(raw.get(), frame.data(), frame.size(), MSG_DONTWAIT,
                       reinterpret_cast<const sockaddr*>(&where), sizeof(where));  // NOLINT
    }
    const auto seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return static_cast<std::int64_t>(static_cast<double>(received(to) - before) / seconds);
}

bool pair() {
    return run_checked(
               {.argv = {"ip", "link", "add", "port", "type", "veth", "peer", "name", "card"}}) &&
           run_checked({.argv = {"ip", "link", "set", "port", "up"}}) &&
           run_checked({.argv = {"ip", "link", "set", "card", "up"}});
}

}  // namespace

TEST_CASE("a card gets and sends no more than its rates, until they are taken off", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        constexpr std::int64_t rate = 200'000;
        const auto holds = [](std::int64_t measured) {
            return measured > 0 && measured < rate * 13 / 10;
        };
        // How fast it is without: what is sent at "card" arrives at "port", and the other way.
        if (!net::can_limit_rates() || !pair()) return false;
        const auto free_in = bytes_a_second("port", "card"),
                   free_out = bytes_a_second("card", "port");
        if (free_in < rate * 2 || free_out < rate * 2) return false;
        for (int time = 0; time < 2; ++time) {
            if (!net::limit_rates("port", "detour", {.receive = rate, .send = rate})) return false;
        }
        if (!net::link_exists("detour")) return false;
        if (!holds(bytes_a_second("port", "card"))) return false;
        // What is led away has arrived at the port already: it counts where it comes out.
        if (!holds(bytes_a_second("card", "detour"))) return false;
        if (!net::limit_rates("port", "detour", {})) return false;
        return !net::link_exists("detour") && bytes_a_second("port", "card") > rate * 2 &&
               bytes_a_second("card", "port") > rate * 2;
    }));
}

TEST_CASE("a probe leaves no link behind", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        (void)net::can_limit_rates();
        return net::links_named("berth").empty();
    }));
}
