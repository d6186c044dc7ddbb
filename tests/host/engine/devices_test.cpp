// SPDX-License-Identifier: Apache-2.0
// Device nodes that are made for a container, and who could still use a device. Needs root.
#include "host/engine/lxc/devices.h"

#include "base/fd.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstring>

using namespace berth;
using namespace berth::engine;

namespace {

/// The kernel's own, of which this test has exactly what it opens itself.
const Device zero{.path = "/dev/zero", .major = 1, .minor = 5};
const Device random_device{.path = "/dev/random", .major = 1, .minor = 8};

void send_descriptor(int socket, int descriptor) {
    char byte = 'x';
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    REQUIRE(::sendmsg(socket, &message, 0) == 1);
}

}  // namespace

TEST_CASE("a device is in use while it is open, and while memory is mapped from it", "[engine]") {
    if (!privileged()) return;
    CHECK(use_of(::getpid(), zero).empty());
    Fd open(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    REQUIRE(open);
    CHECK(use_of(::getpid(), zero) == "has it open");
    CHECK(use_of(::getpid(), random_device).empty());
    constexpr std::size_t page = 4096;
    void* memory = ::mmap(nullptr, page, PROT_READ, MAP_PRIVATE, open.get(), 0);
    REQUIRE(memory != MAP_FAILED);
    open.reset();
    CHECK(use_of(::getpid(), zero) == "has memory mapped from it");
    CHECK(use_of(::getpid(), random_device).empty());
    REQUIRE(::munmap(memory, page) == 0);
    CHECK(use_of(::getpid(), zero).empty());
}

TEST_CASE("descriptors that nobody has taken out of a socket may be of any device", "[engine]") {
    if (!privileged()) return;
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const Fd from(ends[0]);
    Fd to(ends[1]);
    CHECK(use_of(::getpid(), zero).empty());
    send_descriptor(from.get(), STDERR_FILENO);
    CHECK(use_of(::getpid(), zero) == "has a socket with descriptors that nobody has taken yet");
    to.reset();
    CHECK(use_of(::getpid(), zero).empty());
}

TEST_CASE("nodes that are made are known by their place and their number", "[engine]") {
    if (!privileged()) return;
    const TemporaryDirectory place;
    const DeviceNodes nodes(place.path() / "nodes");
    CHECK(nodes.made().empty());
    const std::vector<Device> wanted{
        {.path = "/dev/dri/renderD128", .major = 226, .minor = 128},
        {.path = "/dev/dri-renderD128", .type = 'b', .major = 7, .minor = 1}};
    const auto made = nodes.make(wanted, 2'000'000);
    struct statvfs system{};
    if (::statvfs(place.path().c_str(), &system) == 0 && (system.f_flag & ST_NODEV) != 0) {
        CHECK(made.error().code == ErrorCode::unsupported);
        return;
    }
    REQUIRE(made);
    REQUIRE(nodes.made().size() == 2);
    for (const auto& device : wanted) {
        const auto all = nodes.made();
        CHECK(std::ranges::count_if(
                  all, [&](const Device& one) { return same_node(one, device); }) == 1);
    }
    CHECK_FALSE(same_number(wanted[0], wanted[1]));
}
