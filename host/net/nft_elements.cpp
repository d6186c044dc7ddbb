// SPDX-License-Identifier: Apache-2.0
#include "host/net/nft_elements.h"

#include "base/files.h"
#include "host/net/netlink_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <tuple>

namespace berth::net {
namespace {

constexpr std::size_t batch_bytes_max = 32 * 1024;  // 256 elements have 36 bytes each
constexpr int answer_ms_max = 2000;                 // the kernel answers before sending returns
constexpr int errno_max = 4095;                     // the kernel's own bound
// In a concatenation each part is padded to a whole register of 4 bytes.
constexpr std::size_t parts_bytes = 8;
using Parts = std::array<unsigned char, parts_bytes>;

/// libmnl's macro for it is one of signed numbers.
constexpr std::size_t aligned(std::size_t length) {
    return (length + 3) & ~std::size_t{3};
}

struct Element {
    Parts key{};   // inet_proto . inet_service
    Parts goal{};  // ipv4_addr . inet_service
};

auto identity(const Forward& forward) {
    return std::tie(forward.protocol, forward.host_port, forward.ipv4, forward.container_port);
}

void put_port(Parts& parts, std::int64_t port) {
    const auto network = htons(static_cast<std::uint16_t>(port));
    std::memcpy(parts.data() + 4, &network, sizeof(network));
}

std::optional<Element> element_of(const Forward& forward) {
    constexpr std::int64_t last_port = 65535;
    Element element;
    in_addr address{};
    const auto is_port = [](std::int64_t port) { return port >= 1 && port <= last_port; };
    if (!is_port(forward.host_port) || !is_port(forward.container_port) ||
        (forward.protocol != "tcp" && forward.protocol != "udp") ||
        ::inet_pton(AF_INET, forward.ipv4.c_str(), &address) != 1)
        return std::nullopt;
    element.key[0] = forward.protocol == "tcp" ? IPPROTO_TCP : IPPROTO_UDP;
    put_port(element.key, forward.host_port);
    std::memcpy(element.goal.data(), &address, sizeof(address));
    put_port(element.goal, forward.container_port);
    return element;
}

/// Messages one after the other in a buffer that does not move.
class Batch {
public:
    Batch() : bytes_(batch_bytes_max) {}

    nlmsghdr* add(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                  std::uint16_t resource) {
        finish();
        message_ = ::mnl_nlmsg_put_header(bytes_.data() + used_);
        message_->nlmsg_type = type;
        message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        message_->nlmsg_seq = ++sequence_;
        auto* header =
            static_cast<nfgenmsg*>(::mnl_nlmsg_put_extra_header(message_, sizeof(nfgenmsg)));
        header->nfgen_family = family;
        header->version = NFNETLINK_V0;
        header->res_id = htons(resource);
        return message_;
    }

    std::vector<char> take() {
        finish();
        bytes_.resize(used_);
        return std::move(bytes_);
    }

private:
    void finish() {
        if (message_ != nullptr) used_ += aligned(message_->nlmsg_len);
        message_ = nullptr;
    }
    std::vector<char> bytes_;
    std::size_t used_ = 0;
    nlmsghdr* message_ = nullptr;
    std::uint32_t sequence_ = 0;
};

void put_parts(nlmsghdr* message, std::uint16_t type, const Parts& parts) {
    nlattr* data = ::mnl_attr_nest_start(message, type);
    ::mnl_attr_put(message, NFTA_DATA_VALUE, parts.size(), parts.data());
    ::mnl_attr_nest_end(message, data);
}

Result<> put_elements(Batch& batch, std::uint16_t type, std::uint16_t flags,
                      const std::vector<Forward>& forwards) {
    if (forwards.empty()) return {};
    nlmsghdr* message = batch.add(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type),
                                  static_cast<std::uint16_t>(NLM_F_ACK | flags), NFPROTO_INET, 0);
    ::mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, firewall_table);
    ::mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, firewall_map);
    nlattr* list = ::mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (const auto& forward : forwards) {
        const auto element = element_of(forward);
        if (!element)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("{} {} to {} {} is no forward", forward.protocol,
                                    forward.host_port, forward.ipv4, forward.container_port));
        nlattr* entry = ::mnl_attr_nest_start(message, NFTA_LIST_ELEM);
        put_parts(message, NFTA_SET_ELEM_KEY, element->key);
        put_parts(message, NFTA_SET_ELEM_DATA, element->goal);
        ::mnl_attr_nest_end(message, entry);
    }
    ::mnl_attr_nest_end(message, list);
    return {};
}

}  // namespace

MapChange difference(const std::vector<Forward>& before, const std::vector<Forward>& after) {
    const auto sorted = [](std::vector<Forward> forwards) {
        std::ranges::sort(forwards, {}, identity);
        return forwards;
    };
    const auto old_ones = sorted(before);
    const auto new_ones = sorted(after);
    MapChange change;
    std::ranges::set_difference(old_ones, new_ones, std::back_inserter(change.removed), {},
                                identity, identity);
    std::ranges::set_difference(new_ones, old_ones, std::back_inserter(change.added), {}, identity,
                                identity);
    return change;
}

Result<std::vector<char>> element_batch(const MapChange& change) {
    if (change.size() > map_change_elements_max)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} elements are too many for one change", change.size()));
    Batch batch;
    (void)batch.add(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    BERTH_TRY(put_elements(batch, NFT_MSG_DELSETELEM, 0, change.removed));
    BERTH_TRY(put_elements(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, change.added));
    (void)batch.add(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    return batch.take();
}

Result<> read_answers(std::span<const char> bytes, BatchAnswers& answers) {
    const auto malformed = [] {
        return fail(ErrorCode::unavailable, "netlink gave an answer that is none");
    };
    while (!bytes.empty()) {
        nlmsghdr header{};
        if (bytes.size() < sizeof(header)) return malformed();
        std::memcpy(&header, bytes.data(), sizeof(header));
        if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size())
            return malformed();
        if (header.nlmsg_type == NLMSG_ERROR) {
            int error = 0;
            if (header.nlmsg_len < sizeof(header) + sizeof(nlmsgerr)) return malformed();
            std::memcpy(&error, bytes.data() + sizeof(header), sizeof(error));
            if (error > 0 || error < -errno_max) return malformed();
            if (error == 0) ++answers.acknowledged;
            if (answers.error == 0) answers.error = -error;
        } else if (header.nlmsg_type == NLMSG_OVERRUN) {
            return malformed();
        }
        bytes = bytes.subspan(std::min<std::size_t>(aligned(header.nlmsg_len), bytes.size()));
    }
    return {};
}

Result<> change_elements(const MapChange& change) {
    constexpr auto doing = "change forwards in the kernel's map";
    const auto batch = BERTH_TRY(element_batch(change));
    const std::size_t expected =
        (change.removed.empty() ? 0U : 1U) + (change.added.empty() ? 0U : 1U);
    const NetlinkSocket socket(::mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
    if (!socket || ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0 ||
        ::mnl_socket_sendto(socket.get(), batch.data(), batch.size()) < 0)
        return fail(system_error(doing, errno));
    BatchAnswers answers;
    while (answers.acknowledged < expected && answers.error == 0) {
        std::array<char, batch_bytes_max + 8192> received{};  // a refusal repeats what it refuses
        pollfd polled{::mnl_socket_get_fd(socket.get()), POLLIN, 0};
        const int ready = ::poll(&polled, 1, answer_ms_max);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return fail(ErrorCode::unavailable, "netlink does not answer");
        const ssize_t got = ::mnl_socket_recvfrom(socket.get(), received.data(), received.size());
        if (got < 0) return fail(system_error(doing, errno));
        BERTH_TRY(read_answers(std::span(received.data(), static_cast<std::size_t>(got)), answers));
    }
    if (answers.error != 0)
        return fail(ErrorCode::unavailable, system_error(doing, answers.error).message);
    return {};
}

}  // namespace berth::net
