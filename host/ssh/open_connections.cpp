// SPDX-License-Identifier: Apache-2.0
#include "host/ssh/open_connections.h"

#include "base/fd.h"
#include "base/files.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace berth::ssh {
namespace {

constexpr std::size_t answer_bytes_max = 65536;

struct Question {
    nlmsghdr header;
    inet_diag_req_v2 body;
};

Result<> ask(const Fd& socket, unsigned char family, std::int64_t port) {
    Question question{};
    question.header.nlmsg_len = sizeof(question);
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    question.body.sdiag_family = family;
    question.body.sdiag_protocol = IPPROTO_TCP;
    question.body.idiag_states = 1U << TCP_ESTABLISHED;
    question.body.id.idiag_sport = htons(static_cast<std::uint16_t>(port));
    if (::send(socket.get(), &question, sizeof(question), 0) != sizeof(question))
        return fail(system_error("ask for open connections", errno));
    return {};
}

/// Reads the whole answer, as the next question has to find an empty socket.
Result<bool> any_in_answer(const Fd& socket) {
    alignas(nlmsghdr) std::array<char, answer_bytes_max> answer{};
    for (bool found = false;;) {
        const auto got = ::recv(socket.get(), answer.data(), answer.size(), 0);
        if (got <= 0) return fail(system_error("read open connections", got < 0 ? errno : EPIPE));
        auto left = static_cast<unsigned>(got);
        for (auto* message = reinterpret_cast<nlmsghdr*>(answer.data());  // NOLINT: netlink's idiom
             NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
            if (message->nlmsg_type == NLMSG_DONE) return found;
            if (message->nlmsg_type == NLMSG_ERROR)
                return fail(ErrorCode::unavailable, "the kernel lists no open connections");
            found = true;
        }
    }
}

}  // namespace

Result<bool> is_connected_to(std::int64_t port) {
    const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!socket) return fail(system_error("ask for open connections", errno));
    for (const unsigned char family : std::array<unsigned char, 2>{AF_INET, AF_INET6}) {
        BERTH_TRY(ask(socket, family, port));
        if (BERTH_TRY(any_in_answer(socket))) return true;
    }
    return false;
}

}  // namespace berth::ssh
