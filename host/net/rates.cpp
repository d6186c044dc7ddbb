// SPDX-License-Identifier: Apache-2.0
#include "host/net/rates.h"

#include "base/fault.h"
#include "host/net/links.h"
#include "host/net/rtnetlink.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace berth::net {
namespace {

constexpr std::uint32_t root_queue = 0x10000;      // "1:"
constexpr std::uint32_t arriving = 0xffff0000;     // "ffff:", what an interface receives
constexpr std::int64_t burst_bytes_min = 16384;    // some packets, or none would ever pass
constexpr std::int64_t burst_bytes_max = 1 << 20;  // of one moment, not to be seen in a second
constexpr std::int64_t bursts_a_second = 100;
constexpr std::int64_t waiting_bytes_min = 65536;
constexpr std::int64_t waiting_bytes_max = 4 << 20;
constexpr std::int64_t waits_a_second = 10;  // nothing waits for more than a tenth of a second
constexpr const char* probe_link = "berth-probe";

std::uint32_t as_u32(std::int64_t value) {
    return static_cast<std::uint32_t>(
        std::min<std::int64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

/// The header of a message about a queue or a filter of an interface.
tcmsg* put_queue(nlmsghdr* message, const std::string& link, std::uint32_t handle,
                 std::uint32_t parent, const char* kind) {
    auto* header = static_cast<tcmsg*>(::mnl_nlmsg_put_extra_header(message, sizeof(tcmsg)));
    header->tcm_family = AF_UNSPEC;
    header->tcm_ifindex = static_cast<int>(::if_nametoindex(link.c_str()));
    header->tcm_handle = handle;
    header->tcm_parent = parent;
    ::mnl_attr_put_strz(message, TCA_KIND, kind);
    return header;
}

/// What leaves `link` goes through a token bucket from now on.
Result<> slow_down(const std::string& link, std::int64_t rate) {
    const auto set = [&](nlmsghdr* message) {
        (void)put_queue(message, link, root_queue, TC_H_ROOT, "tbf");
        tc_tbf_qopt bucket{};
        bucket.rate.linklayer = TC_LINKLAYER_ETHERNET;  // then the kernel needs no table of times
        bucket.rate.rate = as_u32(rate);
        bucket.limit =
            as_u32(std::clamp(rate / waits_a_second, waiting_bytes_min, waiting_bytes_max));
        nlattr* options = ::mnl_attr_nest_start(message, TCA_OPTIONS);
        ::mnl_attr_put(message, TCA_TBF_PARMS, sizeof(bucket), &bucket);
        ::mnl_attr_put_u64(message, TCA_TBF_RATE64, static_cast<std::uint64_t>(rate));
        ::mnl_attr_put_u32(
            message, TCA_TBF_BURST,
            as_u32(std::clamp(rate / bursts_a_second, burst_bytes_min, burst_bytes_max)));
        ::mnl_attr_nest_end(message, options);
    };
    return request(fmt::format("limit the rate of '{}'", link), RTM_NEWQDISC,
                   NLM_F_CREATE | NLM_F_REPLACE, set);
}

/// Takes a queue away, whoever made it; one that is not there is fine.
Result<> remove_queue(const std::string& link, std::uint32_t parent, const char* kind) {
    auto removed =
        request(fmt::format("take a limit off '{}'", link), RTM_DELQDISC, 0,
                [&](nlmsghdr* message) { (void)put_queue(message, link, 0, parent, kind); });
    // The kernel says "invalid" of a parent without a queue, and "not found" of a queue.
    if (!removed && link_exists(link)) return {};
    return removed;
}

/// A link whose one purpose is to have a queue: what is led to it comes back where it was.
Result<> make_detour(const std::string& name) {
    if (!link_exists(name)) {
        BERTH_TRY(request(fmt::format("make the interface '{}'", name), RTM_NEWLINK,
                          NLM_F_CREATE | NLM_F_EXCL, [&name](nlmsghdr* message) {
                              auto* link = static_cast<ifinfomsg*>(
                                  ::mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
                              link->ifi_family = AF_UNSPEC;
                              link->ifi_flags = IFF_UP;
                              link->ifi_change = IFF_UP;
                              ::mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
                              nlattr* info = ::mnl_attr_nest_start(message, IFLA_LINKINFO);
                              ::mnl_attr_put_strz(message, IFLA_INFO_KIND, "ifb");
                              ::mnl_attr_nest_end(message, info);
                          }));
    }
    return {};
}

/// Leads all that arrives at `port` through `detour`.
Result<> lead(const std::string& port, const std::string& detour) {
    BERTH_TRY(remove_queue(port, TC_H_INGRESS, "ingress"));
    BERTH_TRY(request(fmt::format("watch what arrives at '{}'", port), RTM_NEWQDISC,
                      NLM_F_CREATE | NLM_F_EXCL, [&port](nlmsghdr* message) {
                          (void)put_queue(message, port, arriving, TC_H_INGRESS, "ingress");
                      }));
    return request(fmt::format("lead what arrives at '{}' through '{}'", port, detour),
                   RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, [&](nlmsghdr* message) {
                       constexpr std::uint32_t first = 1U << 16;  // the filter's place
                       put_queue(message, port, 0, arriving, "u32")->tcm_info =
                           first | htons(ETH_P_ALL);
                       tc_u32_sel selector{};
                       selector.flags = TC_U32_TERMINAL;
                       selector.nkeys = 1;
                       // Behind it stands its one key, whose mask is nothing: every packet.
                       std::array<char, sizeof(tc_u32_sel) + sizeof(tc_u32_key)> every{};
                       std::memcpy(every.data(), &selector, sizeof(selector));
                       tc_mirred redirect{};
                       redirect.action = TC_ACT_STOLEN;
                       redirect.eaction = TCA_EGRESS_REDIR;
                       redirect.ifindex = ::if_nametoindex(detour.c_str());
                       nlattr* options = ::mnl_attr_nest_start(message, TCA_OPTIONS);
                       ::mnl_attr_put(message, TCA_U32_SEL, every.size(), every.data());
                       nlattr* actions = ::mnl_attr_nest_start(message, TCA_U32_ACT);
                       nlattr* one = ::mnl_attr_nest_start(message, 1);
                       ::mnl_attr_put_strz(message, TCA_ACT_KIND, "mirred");
                       nlattr* parameters = ::mnl_attr_nest_start(message, TCA_ACT_OPTIONS);
                       ::mnl_attr_put(message, TCA_MIRRED_PARMS, sizeof(redirect), &redirect);
                       ::mnl_attr_nest_end(message, parameters);
                       ::mnl_attr_nest_end(message, one);
                       ::mnl_attr_nest_end(message, actions);
                       ::mnl_attr_nest_end(message, options);
                   });
}

}  // namespace

Result<> limit_rates(const std::string& port, const std::string& detour, const Rates& rates) {
    BERTH_TRY(fault::at("net.rates"));
    if (rates.receive > 0)
        BERTH_TRY(slow_down(port, rates.receive));
    else
        BERTH_TRY(remove_queue(port, TC_H_ROOT, "tbf"));
    if (rates.send == 0) {
        BERTH_TRY(remove_queue(port, TC_H_INGRESS, "ingress"));
        return link_exists(detour) ? delete_link(detour) : Result<>();
    }
    BERTH_TRY(make_detour(detour));
    BERTH_TRY(fault::at("net.rates.detour"));
    BERTH_TRY(slow_down(detour, rates.send));
    return lead(port, detour);
}

bool can_limit_rates() {
    constexpr std::int64_t some = 1 << 20;
    if (!delete_link(probe_link) || !make_detour(probe_link)) return false;
    const bool works = slow_down(probe_link, some) && lead(probe_link, probe_link);
    (void)delete_link(probe_link);
    return works;
}

}  // namespace berth::net
