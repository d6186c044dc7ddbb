// SPDX-License-Identifier: Apache-2.0
#include "host/agent/before_init.h"

#include "host/engine/lxc/way_in_protocol.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace berth::agent {
namespace {

/// Waits for one packet with a program and that program's connection, and becomes the program.
void become_what_is_handed(int host) {
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * engine::way_in_descriptors)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    if (::recvmsg(host, &message, MSG_CMSG_CLOEXEC) != 1) return;
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr || rights->cmsg_len != CMSG_LEN(sizeof(int) * engine::way_in_descriptors))
        return;
    int descriptors[engine::way_in_descriptors];
    std::memcpy(descriptors, CMSG_DATA(rights), sizeof(descriptors));
    const int program = ::fcntl(descriptors[0], F_DUPFD_CLOEXEC, engine::way_in_connection_fd + 1);
    if (program < 0 || ::dup2(descriptors[1], engine::way_in_connection_fd) < 0) return;
    char name[] = "berth-agent";
    char* argv[] = {name, nullptr};
    char* environment[] = {nullptr};
    (void)::fexecve(program, argv, environment);
}

/// A connection with the host; -1 when there is none.
int connect_to_host() {
    const int host = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, engine::way_in_socket, sizeof(address.sun_path) - 1);
    const auto* any = reinterpret_cast<const sockaddr*>(&address);
    return host >= 0 && ::connect(host, any, sizeof(address)) == 0 ? host : -1;
}

/// `problem` is why there can be no init; 0: it can be executed.
[[noreturn]] void stay_behind(char problem) {
    (void)::setsid();
    (void)::prctl(PR_SET_NAME, "berth-agent");
    const int host = connect_to_host();
    if (::send(host, &problem, 1, MSG_NOSIGNAL) != 1) ::_exit(1);
    // The container needs these no more, and whoever comes later finds nobody listening.
    (void)::umount2(engine::way_in_directory, MNT_DETACH);
    (void)::rmdir(engine::way_in_directory);
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0 && ::dup2(nothing, 0) >= 0 && ::dup2(nothing, 1) >= 0 &&
        ::dup2(nothing, 2) >= 0)
        become_what_is_handed(host);
    ::_exit(0);
}

/// Once the host has met a container's first helper nobody is to come to that socket again, so the
/// host takes it away. Who comes all the same was started by liblxc because something inside has
/// rebooted; by its being there for a while the host knows that, and ends it.
void let_a_reboot_be_seen(int problem) {
    constexpr int seen_after_ms = 1000;  // the host looks every few milliseconds
    if (problem == ENOENT) (void)::poll(nullptr, 0, seen_after_ms);
}

}  // namespace

void begin(char** init) {
    const int problem = ::access(init[0], X_OK) == 0 ? 0 : errno;
    const int host = connect_to_host();
    if (host < 0) let_a_reboot_be_seen(errno);
    const pid_t left = host < 0 ? -1 : ::fork();
    if (left == 0) {
        (void)::close(host);
        stay_behind(static_cast<char>(problem));
    }
    char word = 0;
    if (left < 0 || ::recv(host, &word, 1, 0) != 1) ::_exit(1);
    (void)::recv(host, &word, 1, 0);  // ends when init is to begin
    (void)::execv(init[0], init);
    ::_exit(127);
}

}  // namespace berth::agent
