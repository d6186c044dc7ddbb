// SPDX-License-Identifier: Apache-2.0
#include "sentinel/access/access_log.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

using namespace berth;
using namespace berth::sentinel;

namespace {

Access number(std::uint64_t count) {
    return {.source = SocketAddress::parse("192.0.2.1:5").value(),
            .outcome = "ended",
            .bytes_from_client = count};
}

void await(const auto& condition) {
    while (!condition()) std::this_thread::yield();
}

}  // namespace

TEST_CASE("a line says who came, for what, and what became of it", "[access]") {
    Access access = number(1);
    access.ended_at = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'500));
    access.server_name = "shop.example";
    access.pool = "prod";
    access.bytes_to_client = 2;
    access.duration_ms = 3;
    const std::string begin =
        R"({"time":"1970-01-01T00:00:01.500Z","source":"192.0.2.1:5","sni":"shop.example","pool":"prod","outcome":"ended",)";
    const std::string end = R"("bytes_from_client":1,"bytes_to_client":2,"duration_ms":3})"
                            "\n";

    SECTION("at an address") {
        access.destination = SocketAddress::parse("192.0.2.9:443").value();
        CHECK(access_line(access) == begin + R"("address":"192.0.2.9:443",)" + end);
    }
    SECTION("through a tunnel") {
        access.destination = TunnelPort{.session = 7, .port = 443};
        CHECK(access_line(access) == begin + R"("tunnel":{"session":7,"port":443},)" + end);
    }
    SECTION("and leaves out what is not known") {
        CHECK(
            access_line({.source = access.source, .outcome = "tunnel_refused", .reason = "tls"}) ==
            R"({"time":"1970-01-01T00:00:00.000Z","source":"192.0.2.1:5","outcome":"tunnel_refused",)"
            R"("reason":"tls","bytes_from_client":0,"bytes_to_client":0,"duration_ms":0})"
            "\n");
    }
}

TEST_CASE("lines are appended, and after a rename they go on in a new file", "[access]") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "access.log", old = directory.path() / "access.log.1";
    {
        const auto log = AccessLog::open(file).value();
        log->put(number(1));
        await([&] { return log->written() == 1; });
        std::filesystem::rename(file, old);
        log->put(number(2));
        await([&] { return log->written() == 2; });
        REQUIRE(log->reopen());
        log->put(number(3));
        CHECK(log->dropped() == 0);
    }
    CHECK(read_file(old).value() == access_line(number(1)) + access_line(number(2)));
    CHECK(read_file(file).value() == access_line(number(3)));
    {
        AccessLog::open(file).value()->put(number(4));
    }
    CHECK(read_file(file).value() == access_line(number(3)) + access_line(number(4)));
    CHECK_FALSE(AccessLog::open(directory.path() / "no" / "access.log"));
}

TEST_CASE("who has lines written does not wait for a reader that stands still", "[access]") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "pipe";
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    const Fd reader(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    auto log = AccessLog::open(file).value();
    // More than the pipe and the queue have room for.
    constexpr std::uint64_t lines = AccessLog::waiting_max + 4'096;
    for (std::uint64_t count = 0; count < lines; ++count) log->put(number(count));
    CHECK(log->dropped() > 0);
    // Neither does who ends it.
    const auto told = log->dropped();
    log.reset();
    std::string got(std::size_t{1} << 20U, '\0');
    const ssize_t size = ::read(reader.get(), got.data(), got.size());
    REQUIRE(size > 0);
    got.resize(static_cast<std::size_t>(size));
    CHECK(got.ends_with("}\n"));
    CHECK(static_cast<std::uint64_t>(std::ranges::count(got, '\n')) < lines - told);
}

TEST_CASE("lines that cannot be written are counted as dropped", "[access]") {
    const auto log = AccessLog::open("/dev/full").value();
    log->put(number(1));
    await([&] { return log->dropped() == 1; });
    CHECK(log->written() == 0);
}
