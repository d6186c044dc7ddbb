// SPDX-License-Identifier: Apache-2.0
#include "base/packets.h"

#include "tests/support/catch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace {

using namespace berth;

ino_t file_of(int fd) {
    struct stat status{};
    REQUIRE(::fstat(fd, &status) == 0);
    return status.st_ino;
}

TEST_CASE("a packet arrives whole, with its descriptors, which are closed on exec") {
    const auto pair = packet_pair();
    REQUIRE(pair);
    const Fd file(::open("/dev/null", O_RDONLY));
    const std::array descriptors{file.get(), pair->ours.get()};
    REQUIRE(send_packet(pair->ours.get(), "one", descriptors));
    REQUIRE(send_packet(pair->ours.get(), "next"));
    const auto first = receive_packet(pair->theirs.get(), 100);
    REQUIRE(first);
    CHECK(first->bytes == "one");
    REQUIRE(first->descriptors.size() == 2);
    CHECK(file_of(first->descriptors[0].get()) == file_of(file.get()));
    CHECK(file_of(first->descriptors[1].get()) == file_of(pair->ours.get()));
    CHECK((::fcntl(first->descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    const auto second = receive_packet(pair->theirs.get(), 100);
    REQUIRE(second);
    CHECK(second->bytes == "next");
    CHECK(second->descriptors.empty());
}

TEST_CASE("a packet that is too long is refused as a whole, and the next one is read") {
    const auto pair = packet_pair();
    REQUIRE(pair);
    REQUIRE(send_packet(pair->ours.get(), "12345"));
    REQUIRE(send_packet(pair->ours.get(), "1234"));
    CHECK_FALSE(receive_packet(pair->theirs.get(), 4));
    const auto next = receive_packet(pair->theirs.get(), 4);
    REQUIRE(next);
    CHECK(next->bytes == "1234");
}

TEST_CASE("the kernel says who sent a packet where the socket asks for it") {
    const auto pair = packet_pair();
    REQUIRE(pair);
    REQUIRE(send_packet(pair->ours.get(), "unasked"));
    CHECK(receive_packet(pair->theirs.get(), 10)->sender == 0);
    constexpr int on = 1;
    REQUIRE(::setsockopt(pair->theirs.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ::_exit(send_packet(pair->ours.get(), "asked", std::array{file.get()}) ? 0 : 1);
    }
    const auto packet = receive_packet(pair->theirs.get(), 10);
    REQUIRE(packet);
    CHECK(packet->sender == child);
    CHECK(packet->descriptors.size() == 1);
    CHECK(::waitpid(child, nullptr, 0) == child);
}

TEST_CASE("when the other end is closed nothing is received, and nothing can be sent") {
    auto pair = packet_pair();
    REQUIRE(pair);
    pair->theirs.reset();
    CHECK_FALSE(receive_packet(pair->ours.get(), 10));
    CHECK_FALSE(send_packet(pair->ours.get(), "x"));
}

}  // namespace
