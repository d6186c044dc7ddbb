// SPDX-License-Identifier: Apache-2.0
#include "host/net/network.h"

#include "base/fault.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/log.h"
#include "host/net/links.h"
#include "host/net/nft_elements.h"
#include "host/net/nft_table.h"
#include "host/net/sysctls.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <sstream>

namespace berth::net {

Result<> HostNetwork::bring_up() {
    for (const auto& [interface, ipv4, prefix_length] : BERTH_TRY(local_subnets())) {
        if (interface == options_.bridge || !options_.subnet.overlaps(ipv4, prefix_length))
            continue;
        return fail(
            make_error(ErrorCode::already_exists,
                       fmt::format("the interface '{}' already uses {}/{}, which overlaps {}",
                                   interface, ipv4, prefix_length, options_.subnet.to_string()))
                .next("give berthd another --subnet"));
    }
    const auto gateway = options_.subnet.gateway();
    BERTH_TRY(
        ensure_bridge(options_.bridge, gateway, options_.subnet.prefix_length(), mac_of(gateway)));
    return set_sysctls(options_.bridge, sysctl_memory());
}

Result<> HostNetwork::tear_down() {
    BERTH_TRY(remove_firewall());
    BERTH_TRY(restore_sysctls(sysctl_memory()));
    return delete_link(options_.bridge);
}

Result<bool> HostNetwork::apply(const std::vector<Forward>& forwards) {
    const std::lock_guard lock(mutex_);
    const auto change = applied_ ? difference(*applied_, forwards) : MapChange{};
    if (applied_ && change.size() == 0 && BERTH_TRY(as_left())) return false;
    BERTH_TRY(fault::at("net.forwards"));
    if (change.size() > 0 && change.size() <= map_change_elements_max) {
        const auto changed = change_elements(change);
        if (changed) {
            applied_ = forwards;
            return false;
        }
        log::warning("network: forwards could not be changed one by one; the table is written anew",
                     {{"cause", changed.error().message}});
    }
    const bool found_changed = applied_ && change.size() <= map_change_elements_max;
    BERTH_TRY(write(forwards));
    return found_changed;
}

Result<bool> HostNetwork::as_left() const {
    const auto now = BERTH_TRY(read_table());
    return now.rules == rules_ && difference(*applied_, now.forwards).size() == 0;
}

Result<> HostNetwork::write(const std::vector<Forward>& forwards) {
    // Somebody may change rules between our writing and our looking. Then what is seen is not
    // surely ours, so it is done again; against somebody who never stops, no more than that helps.
    constexpr int attempts_max = 3;
    for (int attempt = 1;; ++attempt) {
        const auto before = BERTH_TRY(read_table());
        BERTH_TRY(apply_firewall({.bridge = options_.bridge,
                                  .subnet = options_.subnet.to_string(),
                                  .forwards = forwards}));
        applied_ = forwards;
        auto after = BERTH_TRY(read_table());
        rules_ = std::move(after.rules);
        if (after.generation == static_cast<std::uint16_t>(before.generation + 1) ||
            attempt == attempts_max)
            return {};
    }
}

Result<> HostNetwork::check_free(const std::string& protocol, std::int64_t host_port) {
    // Asking for the port for a moment is the one answer that covers every address and family.
    for (const int family : {AF_INET, AF_INET6}) {
        const Fd socket(
            ::socket(family, (protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
        if (!socket) continue;  // the kernel has no IPv6
        const auto port = htons(static_cast<std::uint16_t>(host_port));
        sockaddr_storage address{};
        socklen_t length = sizeof(sockaddr_in);
        if (family == AF_INET) {
            *reinterpret_cast<sockaddr_in*>(&address) = {
                .sin_family = AF_INET,
                .sin_port = port,
                .sin_addr = {},
                .sin_zero = {}};  // NOLINT: sockaddr's own idiom
        } else {
            constexpr int on = 1;
            (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
            auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);  // NOLINT: the same
            v6->sin6_family = AF_INET6;
            v6->sin6_port = port;
            length = sizeof(sockaddr_in6);
        }
        constexpr int on = 1;
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on,
                           sizeof(on));  // connections that are winding down do not count
        if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
            errno == EADDRINUSE) {  // NOLINT: the same
            return fail(make_error(ErrorCode::busy,
                                   fmt::format("a service of the host itself uses {} port {}",
                                               protocol, host_port))
                            .at("/host_port")
                            .next("choose another host_port, or leave it out to get a free one"));
        }
    }
    return {};
}

void HostNetwork::release(const std::string& ipv4) {
    (void)forget_neighbour(options_.bridge, ipv4);
}

std::string resolv_conf() {
    for (const auto* path : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
        const auto text = read_file(path);
        std::istringstream lines(text.value_or(""));
        std::string kept;
        for (std::string line; std::getline(lines, line);) {
            const bool loopback =
                line.starts_with("nameserver 127.") || line.starts_with("nameserver ::1");
            const bool wanted = line.starts_with("nameserver ") || line.starts_with("search ") ||
                                line.starts_with("options ");
            if (wanted && !loopback) kept += line + '\n';
        }
        if (kept.contains("nameserver ")) return kept;
    }
    return "";
}

}  // namespace berth::net
