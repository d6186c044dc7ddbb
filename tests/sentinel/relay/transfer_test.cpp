// SPDX-License-Identifier: Apache-2.0
#include "sentinel/relay/transfer.h"

#include "tests/support/catch.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <string>

using namespace berth;
using namespace berth::sentinel;

namespace {

/// A connection whose two sockets' other ends are the test's.
struct Ends {
    Connection connection;
    Fd client, primary;

    Ends() {
        connect(connection.client, client);
        connect(connection.primary, primary);
    }
    static void connect(Side& side, Fd& end) {
        std::array<int, 2> pair{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) ==
                0);
        side.socket = Fd(pair[0]);
        side.readable = side.writable = true;
        end = Fd(pair[1]);
    }
    Progress up(Transfer& transfer) {
        return transfer.carry(connection, connection.client, connection.primary);
    }
};

/// As much as a socket takes.
std::size_t fill(const Fd& end, char byte, std::size_t most) {
    const std::string piece(65536, byte);
    std::size_t sent = 0;
    while (sent < most) {
        const auto got =
            ::send(end.get(), piece.data(), std::min(piece.size(), most - sent), MSG_NOSIGNAL);
        if (got <= 0) break;
        sent += static_cast<std::size_t>(got);
    }
    return sent;
}

std::string drain(const Fd& end) {
    std::string all, piece(65536, '\0');
    for (ssize_t got = 0; (got = ::recv(end.get(), piece.data(), piece.size(), 0)) > 0;) {
        all += piece.substr(0, static_cast<std::size_t>(got));
    }
    return all;
}

}  // namespace

TEST_CASE("what one side says reaches the other, and then its end", "[relay]") {
    Ends ends;
    Transfer transfer(4);
    REQUIRE(::send(ends.client.get(), "hello", 5, 0) == 5);
    CHECK(ends.up(transfer) == Progress::waiting);
    CHECK(drain(ends.primary) == "hello");
    CHECK(ends.connection.moved);
    CHECK_FALSE(ends.connection.primary.shut);
    REQUIRE(::send(ends.client.get(), "bye", 3, 0) == 3);
    REQUIRE(::shutdown(ends.client.get(), SHUT_WR) == 0);
    ends.connection.client.readable = ends.connection.client.hung = true;
    CHECK(ends.up(transfer) == Progress::waiting);
    CHECK(ends.connection.primary.shut);
    CHECK(drain(ends.primary) == "bye");
    CHECK(::recv(ends.primary.get(), nullptr, 0, 0) == 0);
}

TEST_CASE("what is not taken is kept, and nothing is read meanwhile", "[relay]") {
    Ends ends;
    Transfer transfer(0);  // without pipes, so that all is copied
    const std::size_t taken = fill(ends.connection.primary.socket, 'x', 100'000'000);
    REQUIRE(taken > 0);
    REQUIRE(::send(ends.client.get(), "more", 4, 0) == 4);
    CHECK(ends.up(transfer) == Progress::waiting);
    CHECK(ends.connection.primary.owed());
    CHECK_FALSE(ends.connection.primary.writable);
    REQUIRE(::send(ends.client.get(), "still", 5, 0) == 5);
    CHECK(ends.up(transfer) == Progress::waiting);
    CHECK(drain(ends.primary).size() == taken);
    ends.connection.client.readable = ends.connection.primary.writable = true;
    CHECK(ends.up(transfer) == Progress::waiting);
    CHECK(drain(ends.primary) == "morestill");
    CHECK_FALSE(ends.connection.primary.owed());
}

TEST_CASE("who does not read keeps no pipe, and loses nothing", "[relay]") {
    Ends slow;
    Transfer transfer(1);
    const auto say = [](Ends& ends, char byte) {
        const std::size_t sent = fill(ends.client, byte, 100'000'000);
        ends.connection.client.readable = true;
        return std::string(sent, byte);
    };
    const std::size_t before = fill(slow.connection.primary.socket, 'z', 100'000'000);
    slow.connection.client.full_reads = Transfer::full_reads_before_pipe;
    const std::string said = say(slow, 'x');
    REQUIRE(slow.up(transfer) == Progress::waiting);
    REQUIRE(slow.connection.primary.in_pipe > 0);
    const auto borrow = [&] {
        Ends other;
        (void)fill(other.connection.primary.socket, 'z', 100'000'000);
        other.connection.client.full_reads = Transfer::full_reads_before_pipe;
        (void)say(other, 'y');
        (void)other.up(transfer);
        const bool lent = static_cast<bool>(other.connection.primary.pipe);
        transfer.drop(other.connection.primary);
        return lent;
    };
    CHECK_FALSE(borrow());
    slow.connection.primary.took = Transfer::loan_bytes_min;
    CHECK(transfer.reclaim(slow.connection));  // it was fast until now
    CHECK_FALSE(transfer.reclaim(slow.connection));
    CHECK_FALSE(slow.connection.primary.pipe);
    CHECK(slow.connection.primary.owed());
    CHECK(borrow());
    std::string heard;
    for (int turn = 0; turn < 1000 && heard.size() < before + said.size(); ++turn) {
        heard += drain(slow.primary);
        slow.connection.primary.writable = slow.connection.client.readable = true;
        (void)slow.up(transfer);
    }
    CHECK(heard == std::string(before, 'z') + said);
}

TEST_CASE("a side that was reset fails its connection", "[relay]") {
    Ends ends;
    Transfer transfer(4);
    REQUIRE(::send(ends.client.get(), "hello", 5, 0) == 5);
    ends.primary.reset();
    CHECK(ends.up(transfer) == Progress::failed);
}
