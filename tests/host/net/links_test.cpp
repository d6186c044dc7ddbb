// SPDX-License-Identifier: Apache-2.0
// Real interfaces, in a network namespace of the test's own. Needs root.
#include "host/net/links.h"

#include "base/fd.h"
#include "base/files.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

using namespace berth;

namespace {

constexpr const char* mac = "02:be:0a:56:00:01";

bool has_address(std::string_view interface, std::string_view ipv4, int prefix_length) {
    const auto all = net::local_subnets().value();
    return std::ranges::any_of(all, [&](const net::LocalSubnet& subnet) {
        return subnet.interface == interface && subnet.ipv4 == ipv4 &&
               subnet.prefix_length == prefix_length;
    });
}

/// A process with a network of its own, for as long as this lives.
class Guest {
public:
    Guest() {
        std::array<int, 2> ready{};
        if (::pipe(ready.data()) != 0) return;
        pid = ::fork();
        if (pid == 0) {
            const char byte = ::unshare(CLONE_NEWNET) == 0 ? 1 : 0;
            (void)!::write(ready[1], &byte, 1);
            for (;;) (void)::pause();
        }
        char byte = 0;
        (void)!::read(ready[0], &byte, 1);
        for (const int end : ready) (void)::close(end);
    }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    ~Guest() {
        if (pid <= 0) return;
        (void)::kill(pid, SIGKILL);
        (void)::waitpid(pid, nullptr, 0);
    }
    [[nodiscard]] std::string shows(std::vector<std::string> argv) const {
        argv.insert(argv.begin(), {"nsenter", "-t", std::to_string(pid), "-n"});
        return run_checked({.argv = std::move(argv)}).value_or("");
    }

    pid_t pid = -1;
};

/// A machine that is there says that nobody listens; one that is not says nothing.
bool answers(const char* ipv4) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(9);
    (void)::inet_pton(AF_INET, ipv4, &address.sin_addr);
    const auto* any = reinterpret_cast<const sockaddr*>(&address);
    return ::connect(socket.get(), any, sizeof(address)) != 0 && errno == ECONNREFUSED;
}

}  // namespace

TEST_CASE("a guest is connected as it is told, and its port is confined", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const Guest guest;
        const net::GuestEnd end{.mac = "02:be:0a:56:00:02",
                                .ipv4 = "10.86.0.2",
                                .prefix_length = 16,
                                .gateway = "10.86.0.1"};
        if (!net::ensure_bridge("bt0", "10.86.0.1", 16, mac) ||
            !net::connect_guest("bt1", "bt0", end, guest.pid))
            return false;
        const auto links = guest.shows({"ip", "-j", "addr"});
        return links.contains("eth0") && links.contains("02:be:0a:56:00:02") &&
               links.contains("10.86.0.2") && links.contains("127.0.0.1") &&
               guest.shows({"ip", "route"}).contains("default via 10.86.0.1 dev eth0") &&
               answers("10.86.0.2") &&
               read_file("/sys/class/net/bt1/brport/isolated").value_or("") == "1\n";
    }));
}

TEST_CASE("a guest whose name is taken, or that has ended, is not connected", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const net::GuestEnd end{.mac = "02:be:0a:56:00:02",
                                .ipv4 = "10.86.0.2",
                                .prefix_length = 16,
                                .gateway = "10.86.0.1"};
        pid_t ended = -1;
        {
            const Guest guest;
            ended = guest.pid;
            if (!net::ensure_bridge("bt0", "10.86.0.1", 16, mac) ||
                !net::connect_guest("bt1", "bt0", end, guest.pid) ||
                net::connect_guest("bt1", "bt0", end, guest.pid))
                return false;
        }
        return !net::connect_guest("bt2", "bt0", end, ended) && !net::link_exists("bt2");
    }));
}

TEST_CASE("a bridge is made once, with the addresses it was given", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        for (int time = 0; time < 2; ++time) {
            if (!net::ensure_bridge("bt0", "10.86.0.1", 16, mac)) return false;
        }
        return has_address("bt0", "10.86.0.1", 16) &&
               read_file("/sys/class/net/bt0/address").value_or("") == std::string(mac) + "\n" &&
               net::links_named("bt") == std::vector<std::string>{"bt0"};
    }));
}

TEST_CASE("an interface that is no bridge is not taken for one", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto refused = net::ensure_bridge("lo", "10.86.0.1", 16, mac);
        return !refused && refused.error().code == ErrorCode::already_exists &&
               !has_address("lo", "10.86.0.1", 16);
    }));
}

TEST_CASE("an interface is removed, and one that is not there is as good as removed", "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        return net::ensure_bridge("bt0", "10.86.0.1", 16, mac) && net::delete_link("bt0") &&
               !net::link_exists("bt0") && net::delete_link("bt0");
    }));
}

TEST_CASE("a port is held to its address, and an address that is forgotten twice is forgotten",
          "[net]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        const auto shown = [](std::vector<std::string> argv) {
            return run_checked({.argv = std::move(argv)}).value_or("");
        };
        if (!net::ensure_bridge("bt0", "10.86.0.1", 16, mac) ||
            !run_checked(
                {.argv = {"ip", "link", "add", "bt1", "type", "veth", "peer", "name", "in"}}) ||
            !run_checked({.argv = {"ip", "link", "set", "bt1", "master", "bt0"}}) ||
            !net::confine_link("bt1", "bt0", "02:be:0a:56:00:02", "10.86.0.2"))
            return false;
        const auto neighbours = shown({"ip", "-j", "neigh", "show", "dev", "bt0"});
        const auto ports = shown({"bridge", "-j", "fdb", "show", "dev", "bt1"});
        return neighbours.contains("02:be:0a:56:00:02") && neighbours.contains("PERMANENT") &&
               ports.contains("02:be:0a:56:00:02") && net::forget_neighbour("bt0", "10.86.0.2") &&
               net::forget_neighbour("bt0", "10.86.0.2") &&
               !shown({"ip", "-j", "neigh", "show", "dev", "bt0"}).contains("PERMANENT") &&
               read_file("/sys/class/net/bt1/brport/learning").value_or("") == "0\n" &&
               read_file("/sys/class/net/bt1/brport/isolated").value_or("") == "1\n";
    }));
}
