// SPDX-License-Identifier: Apache-2.0
#include "host/net/links.h"

#include "base/fault.h"
#include "base/files.h"
#include "host/net/rtnetlink.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/ether.h>

#include <array>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <memory>

namespace berth::net {
namespace {

constexpr std::ptrdiff_t bridge_ports_max = 1023;
constexpr const char* guest_interface = "eth0";
constexpr unsigned loopback_index = 1;  // in every namespace

ifinfomsg* put_link(nlmsghdr* message) {
    auto* link = static_cast<ifinfomsg*>(::mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
    link->ifi_family = AF_UNSPEC;
    return link;
}

ndmsg* put_neighbour(nlmsghdr* message, int family, const std::string& interface) {
    auto* entry = static_cast<ndmsg*>(::mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
    entry->ndm_family = static_cast<unsigned char>(family);
    entry->ndm_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    return entry;
}

Result<> create_bridge(const std::string& name) {
    return request(fmt::format("make the bridge '{}'", name), RTM_NEWLINK,
                   NLM_F_CREATE | NLM_F_EXCL, [&name](nlmsghdr* message) {
                       (void)put_link(message);
                       ::mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
                       nlattr* info = ::mnl_attr_nest_start(message, IFLA_LINKINFO);
                       ::mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
                       ::mnl_attr_nest_end(message, info);
                   });
}

/// `index` is an interface where `socket` is.
Result<> add_address(const NetlinkSocket& socket, unsigned index, std::string_view ipv4,
                     int prefix_length) {
    in_addr address{};
    if (::inet_pton(AF_INET, std::string(ipv4).c_str(), &address) != 1)
        return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no IPv4 address", ipv4));
    return request(socket, fmt::format("give an interface the address {}/{}", ipv4, prefix_length),
                   RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, [&](nlmsghdr* message) {
                       auto* header = static_cast<ifaddrmsg*>(
                           ::mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
                       header->ifa_family = AF_INET;
                       header->ifa_prefixlen = static_cast<unsigned char>(prefix_length);
                       header->ifa_index = index;
                       ::mnl_attr_put_u32(message, IFA_LOCAL, address.s_addr);
                       ::mnl_attr_put_u32(message, IFA_ADDRESS, address.s_addr);
                   });
}

Result<> set_mac_and_bring_up(unsigned index, std::string_view mac) {
    ether_addr address{};
    if (::ether_aton_r(std::string(mac).c_str(), &address) == nullptr) {
        return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no MAC address", mac));
    }
    return request("bring the bridge up", RTM_NEWLINK, 0, [index, &address](nlmsghdr* message) {
        auto* link = put_link(message);
        link->ifi_index = static_cast<int>(index);
        link->ifi_flags = IFF_UP;
        link->ifi_change = IFF_UP;
        ::mnl_attr_put(message, IFLA_ADDRESS, sizeof(address), &address);
    });
}

Result<> bring_up(const NetlinkSocket& socket, unsigned index) {
    return request(socket, "bring an interface up", RTM_NEWLINK, 0, [index](nlmsghdr* message) {
        auto* link = put_link(message);
        link->ifi_index = static_cast<int>(index);
        link->ifi_flags = IFF_UP;
        link->ifi_change = IFF_UP;
    });
}

Result<> add_default_route(const NetlinkSocket& socket, const std::string& gateway) {
    in_addr address{};
    if (::inet_pton(AF_INET, gateway.c_str(), &address) != 1)
        return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no IPv4 address", gateway));
    return request(
        socket, fmt::format("add the route to {}", gateway), RTM_NEWROUTE,
        NLM_F_CREATE | NLM_F_REPLACE, [&](nlmsghdr* message) {
            auto* route = static_cast<rtmsg*>(::mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
            route->rtm_family = AF_INET;
            route->rtm_table = RT_TABLE_MAIN;
            route->rtm_protocol = RTPROT_BOOT;
            route->rtm_scope = RT_SCOPE_UNIVERSE;
            route->rtm_type = RTN_UNICAST;
            ::mnl_attr_put_u32(message, RTA_GATEWAY, address.s_addr);
        });
}

/// As many as the kernel would use of those it makes by default; it waits to put away the others.
void put_one_queue(nlmsghdr* message) {
    ::mnl_attr_put_u32(message, IFLA_NUM_TX_QUEUES, 1);
    ::mnl_attr_put_u32(message, IFLA_NUM_RX_QUEUES, 1);
}

/// Both ends where they belong in one request: an interface that is moved or renamed later makes
/// the kernel wait each time until no processor uses it, with a lock that all others want.
Result<> add_pair(const std::string& name, const std::string& bridge, const std::string& mac,
                  pid_t process) {
    ether_addr ethernet{};
    if (::ether_aton_r(mac.c_str(), &ethernet) == nullptr)
        return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no MAC address", mac));
    return request(fmt::format("make the interface '{}' on '{}'", name, bridge), RTM_NEWLINK,
                   NLM_F_CREATE | NLM_F_EXCL, [&](nlmsghdr* message) {
                       auto* link = put_link(message);
                       link->ifi_flags = IFF_UP;
                       link->ifi_change = IFF_UP;
                       ::mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
                       put_one_queue(message);
                       ::mnl_attr_put_u32(message, IFLA_MASTER, ::if_nametoindex(bridge.c_str()));
                       nlattr* info = ::mnl_attr_nest_start(message, IFLA_LINKINFO);
                       ::mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
                       nlattr* data = ::mnl_attr_nest_start(message, IFLA_INFO_DATA);
                       nlattr* peer = ::mnl_attr_nest_start(message, VETH_INFO_PEER);
                       (void)put_link(message);
                       ::mnl_attr_put_strz(message, IFLA_IFNAME, guest_interface);
                       put_one_queue(message);
                       ::mnl_attr_put(message, IFLA_ADDRESS, sizeof(ethernet), &ethernet);
                       ::mnl_attr_put_u32(message, IFLA_NET_NS_PID,
                                          static_cast<std::uint32_t>(process));
                       ::mnl_attr_nest_end(message, peer);
                       ::mnl_attr_nest_end(message, data);
                       ::mnl_attr_nest_end(message, info);
                   });
}

/// By netlink, which waits its turn: writing the port's files in /sys takes the kernel's lock or
/// tries again at once, and a hundred starts at the same time spend a fifth of the processor so.
Result<> confine_port(const std::string& name) {
    return request(fmt::format("isolate '{}' on its bridge", name), RTM_SETLINK, 0,
                   [index = ::if_nametoindex(name.c_str())](nlmsghdr* message) {
                       auto* link = put_link(message);
                       link->ifi_family = AF_BRIDGE;
                       link->ifi_index = static_cast<int>(index);
                       nlattr* port = ::mnl_attr_nest_start(message, IFLA_PROTINFO);
                       ::mnl_attr_put_u8(message, IFLA_BRPORT_ISOLATED, 1);
                       // A bridge that learns from what a port sends can be taught that another's
                       // address is there.
                       ::mnl_attr_put_u8(message, IFLA_BRPORT_LEARNING, 0);
                       ::mnl_attr_nest_end(message, port);
                   });
}

}  // namespace

Result<> ensure_bridge(const std::string& name, std::string_view ipv4, int prefix_length,
                       std::string_view mac) {
    if (name.empty() || name.size() >= IFNAMSIZ)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("'{}' is no interface name of 1 to {} characters", name, IFNAMSIZ - 1));
    if (!link_exists(name)) BERTH_TRY(create_bridge(name));
    std::error_code ignored;
    if (!std::filesystem::exists(fmt::format("/sys/class/net/{}/bridge", name), ignored))
        return fail(ErrorCode::already_exists,
                    fmt::format("the interface '{}' exists and is no bridge", name));
    const unsigned index = ::if_nametoindex(name.c_str());
    BERTH_TRY(add_address(BERTH_TRY(socket_here()), index, ipv4, prefix_length));
    return set_mac_and_bring_up(index, mac);
}

Result<> delete_link(const std::string& name) {
    auto deleted = request(fmt::format("remove the interface '{}'", name), RTM_DELLINK, 0,
                           [&name](nlmsghdr* message) {
                               (void)put_link(message);
                               ::mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
                           });
    if (!deleted && !link_exists(name)) return {};
    return deleted;
}

Result<> confine_link(const std::string& name, const std::string& bridge, std::string_view mac,
                      const std::string& ipv4) {
    BERTH_TRY(fault::at("net.confine"));
    BERTH_TRY(confine_port(name));
    ether_addr ethernet{};
    in_addr address{};
    if (::ether_aton_r(std::string(mac).c_str(), &ethernet) == nullptr ||
        ::inet_pton(AF_INET, ipv4.c_str(), &address) != 1)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' and '{}' are not both addresses", mac, ipv4));
    BERTH_TRY(request(fmt::format("tie the address {} to '{}'", mac, name), RTM_NEWNEIGH,
                      NLM_F_CREATE | NLM_F_REPLACE, [&](nlmsghdr* message) {
                          auto* entry = put_neighbour(message, AF_BRIDGE, name);
                          entry->ndm_state = NUD_NOARP;
                          entry->ndm_flags = NTF_MASTER;
                          ::mnl_attr_put(message, NDA_LLADDR, sizeof(ethernet), &ethernet);
                      }));
    BERTH_TRY(fault::at("net.confine.address"));
    // Asked by ARP, any port could answer.
    return request(fmt::format("tie the address {} to {}", ipv4, mac), RTM_NEWNEIGH,
                   NLM_F_CREATE | NLM_F_REPLACE, [&](nlmsghdr* message) {
                       put_neighbour(message, AF_INET, bridge)->ndm_state = NUD_PERMANENT;
                       ::mnl_attr_put(message, NDA_DST, sizeof(address), &address);
                       ::mnl_attr_put(message, NDA_LLADDR, sizeof(ethernet), &ethernet);
                   });
}

Result<> connect_guest(const std::string& name, const std::string& bridge, const GuestEnd& guest,
                       pid_t process) {
    BERTH_TRY(add_pair(name, bridge, guest.mac, process));
    const auto inside = BERTH_TRY(socket_of(process));
    const unsigned index = index_of(inside, guest_interface);
    BERTH_TRY(bring_up(inside, loopback_index));
    BERTH_TRY(add_address(inside, index, guest.ipv4, guest.prefix_length));
    BERTH_TRY(bring_up(inside, index));
    BERTH_TRY(add_default_route(inside, guest.gateway));
    return confine_link(name, bridge, guest.mac, guest.ipv4);
}

Result<> forget_neighbour(const std::string& bridge, const std::string& ipv4) {
    in_addr address{};
    if (::inet_pton(AF_INET, ipv4.c_str(), &address) != 1)
        return fail(ErrorCode::invalid_argument, fmt::format("'{}' is no IPv4 address", ipv4));
    auto forgotten = request(fmt::format("forget the address {}", ipv4), RTM_DELNEIGH, 0,
                             [&](nlmsghdr* message) {
                                 (void)put_neighbour(message, AF_INET, bridge);
                                 ::mnl_attr_put(message, NDA_DST, sizeof(address), &address);
                             });
    if (!forgotten && forgotten.error().code == ErrorCode::not_found) return {};
    return forgotten;
}

bool is_full(const std::string& bridge) {
    std::error_code none;
    const std::filesystem::directory_iterator ports(fmt::format("/sys/class/net/{}/brif", bridge),
                                                    none);
    return !none && std::distance(begin(ports), end(ports)) >= bridge_ports_max;
}

bool link_exists(const std::string& name) {
    return ::if_nametoindex(name.c_str()) != 0;
}

std::vector<std::string> links_named(std::string_view prefix) {
    std::vector<std::string> found;
    struct Free {
        void operator()(struct if_nameindex* list) const noexcept { ::if_freenameindex(list); }
    };
    const std::unique_ptr<struct if_nameindex, Free> list(::if_nameindex());
    for (const auto* link = list.get(); link != nullptr && link->if_index != 0; ++link) {
        if (std::string_view(link->if_name).starts_with(prefix)) found.emplace_back(link->if_name);
    }
    return found;
}

Result<std::vector<LocalSubnet>> local_subnets() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return fail(system_error("list the machine's addresses", errno));
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, ::freeifaddrs);
    std::vector<LocalSubnet> found;
    for (const auto* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr ||
            entry->ifa_addr->sa_family != AF_INET)
            continue;
        const auto* address =
            reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);  // NOLINT: sockaddr's own idiom
        const auto* mask =
            reinterpret_cast<const sockaddr_in*>(entry->ifa_netmask);  // NOLINT: the same
        std::array<char, INET_ADDRSTRLEN> text{};
        (void)::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
        found.push_back({entry->ifa_name, text.data(), std::popcount(mask->sin_addr.s_addr)});
    }
    return found;
}

}  // namespace berth::net
