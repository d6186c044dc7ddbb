// SPDX-License-Identifier: Apache-2.0
#include "host/net/nft_table.h"

#include "base/files.h"
#include "host/net/netlink_socket.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

namespace berth::net {
namespace {

constexpr std::size_t answer_bytes_max = 32 * 1024;  // the kernel's own bound of a part of a dump
constexpr timeval answer_time_max{.tv_sec = 2, .tv_usec = 0};
constexpr int attempts_max = 10;  // a reading takes well below a millisecond

// Whatever of a table a message is about, its first attribute names the table.
constexpr std::uint16_t table_name = NFTA_TABLE_NAME;
static_assert(NFTA_CHAIN_TABLE == table_name && NFTA_RULE_TABLE == table_name &&
              NFTA_SET_TABLE == table_name && NFTA_SET_ELEM_LIST_TABLE == table_name);

std::uint16_t type_of(const nlmsghdr* message) {
    return message->nlmsg_type & 0xff;  // NFNL_MSG_TYPE; the rest names the subsystem
}

/// libmnl's macros for it are made of casts that C++ warns of.
template <class Use>
void for_each_attribute(const void* begin, const void* end, Use use) {
    const auto left = [end](const nlattr* attribute) {
        return static_cast<int>(static_cast<const char*>(end) -
                                reinterpret_cast<const char*>(attribute));
    };
    for (const auto* attribute = static_cast<const nlattr*>(begin);
         ::mnl_attr_ok(attribute, left(attribute)); attribute = ::mnl_attr_next(attribute))
        use(attribute);
}

template <class Use>
void for_each_of(const nlmsghdr* message, Use use) {
    for_each_attribute(::mnl_nlmsg_get_payload_offset(message, sizeof(nfgenmsg)),
                       ::mnl_nlmsg_get_payload_tail(message), use);
}

template <class Use>
void for_each_in(const nlattr* nest, Use use) {
    const auto* begin = static_cast<const char*>(::mnl_attr_get_payload(nest));
    for_each_attribute(begin, begin + ::mnl_attr_get_payload_len(nest), use);
}

/// The attribute of that type among those in `nest`, or none.
const nlattr* find(const nlattr* nest, std::uint16_t type) {
    const nlattr* found = nullptr;
    for_each_in(nest, [&found, type](const nlattr* attribute) {
        if (::mnl_attr_get_type(attribute) == type) found = attribute;
    });
    return found;
}

/// A part of a concatenation and the port behind it, each padded to a register of 4 bytes.
struct Half {
    std::array<unsigned char, 4> first{};
    std::uint16_t port = 0;
};

std::optional<Half> half_of(const nlattr* element, std::uint16_t type) {
    Half half;
    const nlattr* data = find(element, type);
    const nlattr* value = data == nullptr ? nullptr : find(data, NFTA_DATA_VALUE);
    if (value == nullptr ||
        ::mnl_attr_get_payload_len(value) < half.first.size() + sizeof(half.port))
        return std::nullopt;
    const auto* bytes = static_cast<const unsigned char*>(::mnl_attr_get_payload(value));
    std::memcpy(half.first.data(), bytes, half.first.size());
    std::memcpy(&half.port, bytes + half.first.size(), sizeof(half.port));
    half.port = ntohs(half.port);
    return half;
}

/// What is no forward of ours becomes one that nobody wants.
Forward forward_of(const nlattr* element) {
    const auto key = half_of(element, NFTA_SET_ELEM_KEY);
    const auto goal = half_of(element, NFTA_SET_ELEM_DATA);
    if (!key || !goal || (key->first[0] != IPPROTO_TCP && key->first[0] != IPPROTO_UDP)) return {};
    std::array<char, INET_ADDRSTRLEN> ipv4{};
    (void)::inet_ntop(AF_INET, goal->first.data(), ipv4.data(), ipv4.size());
    return {.protocol = key->first[0] == IPPROTO_TCP ? "tcp" : "udp",
            .host_port = key->port,
            .ipv4 = ipv4.data(),
            .container_port = goal->port};
}

struct Reading {
    TableState state;
    bool begun = false;
    bool changed = false;  // while it was read
};

int note_message(const nlmsghdr* message, void* data) {
    auto& [state, begun, changed] = *static_cast<Reading*>(data);
    const auto* header = static_cast<const nfgenmsg*>(::mnl_nlmsg_get_payload(message));
    const auto generation = ntohs(header->res_id);
    changed = changed || (begun && generation != state.generation);
    begun = true;
    state.generation = generation;
    if (type_of(message) == NFT_MSG_NEWGEN) return MNL_CB_STOP;
    if (!is_about_table(message)) return MNL_CB_OK;
    for_each_of(message, [&state, type = type_of(message)](const nlattr* attribute) {
        if (type != NFT_MSG_NEWSETELEM) {
            state.rules.append(reinterpret_cast<const char*>(attribute), attribute->nla_len);
        } else if (::mnl_attr_get_type(attribute) == NFTA_SET_ELEM_LIST_ELEMENTS) {
            for_each_in(attribute, [&state](const nlattr* element) {
                state.forwards.push_back(forward_of(element));
            });
        }
    });
    return MNL_CB_OK;
}

/// Puts the answers to one question into `reading`; the errno that the kernel gave, or 0.
int ask(mnl_socket* socket, std::uint16_t type, std::uint16_t flags, Reading& reading) {
    std::array<char, answer_bytes_max> buffer{};
    nlmsghdr* question = ::mnl_nlmsg_put_header(buffer.data());
    question->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
    question->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    question->nlmsg_seq = type;
    auto* header = static_cast<nfgenmsg*>(::mnl_nlmsg_put_extra_header(question, sizeof(nfgenmsg)));
    header->nfgen_family = NFPROTO_INET;
    header->version = NFNETLINK_V0;
    if (type == NFT_MSG_GETSETELEM) {
        ::mnl_attr_put_strz(question, NFTA_SET_ELEM_LIST_TABLE, firewall_table);
        ::mnl_attr_put_strz(question, NFTA_SET_ELEM_LIST_SET, firewall_map);
    }
    if (::mnl_socket_sendto(socket, question, question->nlmsg_len) < 0) return errno;
    for (int more = MNL_CB_OK; more == MNL_CB_OK;) {
        const ssize_t got = ::mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
        if (got < 0) return errno;
        more = ::mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), type,
                            ::mnl_socket_get_portid(socket), note_message, &reading);
        if (more < 0) return errno;
    }
    return 0;
}

struct Question {
    std::uint16_t type;
    std::uint16_t flags;
};
constexpr std::array questions{Question{NFT_MSG_GETGEN, 0}, Question{NFT_MSG_GETCHAIN, NLM_F_DUMP},
                               Question{NFT_MSG_GETRULE, NLM_F_DUMP},
                               Question{NFT_MSG_GETSETELEM, NLM_F_DUMP}};

}  // namespace

bool is_about_table(const nlmsghdr* message) {
    if (::mnl_nlmsg_get_payload_len(message) < sizeof(nfgenmsg) ||
        type_of(message) == NFT_MSG_NEWGEN)
        return false;
    const auto* header = static_cast<const nfgenmsg*>(::mnl_nlmsg_get_payload(message));
    if (header->nfgen_family != NFPROTO_INET) return false;
    bool ours = false;
    for_each_of(message, [&ours](const nlattr* attribute) {
        const std::size_t length = ::mnl_attr_get_payload_len(attribute);
        if (::mnl_attr_get_type(attribute) == table_name && length > 0)
            ours = std::string_view(::mnl_attr_get_str(attribute), length - 1) == firewall_table;
    });
    return ours;
}

Result<TableState> read_table() {
    constexpr auto doing = "read berth's nftables table";
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        const NetlinkSocket socket(::mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
        if (!socket || ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
            return fail(system_error(doing, errno));
        (void)::setsockopt(::mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVTIMEO,
                           &answer_time_max, sizeof(answer_time_max));
        Reading reading;
        for (const auto& [type, flags] : questions) {
            const int error = ask(socket.get(), type, flags, reading);
            if (error == EINTR) reading.changed = true;  // how libmnl tells of such a dump
            // Without the table there is no map to ask for.
            if (error != 0 && error != EINTR && error != ENOENT)
                return fail(system_error(doing, error));
            if (reading.changed) break;  // what is still to come of this is left with its socket
        }
        if (!reading.changed) return std::move(reading.state);
    }
    return fail(make_error(ErrorCode::unavailable,
                           "berth's nftables table cannot be read: the rules change all the time")
                    .next("find out what keeps changing the host's nftables rules"));
}

}  // namespace berth::net
