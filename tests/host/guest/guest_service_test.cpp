// SPDX-License-Identifier: Apache-2.0
// The real service on real sockets, asked as from a container.
#include "host/guest/guest_service.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/no_descriptors.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::guest;
using namespace std::chrono_literals;

namespace {

Fd dial(const std::filesystem::path& socket) {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof(address.sun_path) - 1);
    const auto* any = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(client.get(), any, sizeof(address)) != 0) client.reset();
    return client;
}

/// All that comes until the other end closes or two seconds have passed.
std::string rest_of(const Fd& client) {
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    (void)::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t got = ::recv(client.get(), buffer.data(), buffer.size(), 0);
        if (got <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

std::string ask(const std::filesystem::path& socket) {
    const Fd client = dial(socket);
    if (!client) return "nobody listens";
    (void)write_all(client.get(), "GET /1.0 HTTP/1.1\r\n\r\n");
    return rest_of(client);
}

std::unique_ptr<GuestService> started(const Clock& clock, GuestLimits limits = {}) {
    auto service = GuestService::start(clock, limits).value();
    service->answer_with([](const std::string& id) { return Json{{"id", id}}; });
    return service;
}

}  // namespace

TEST_CASE("each container is told of itself, in place of an old socket", "[guest]") {
    const TemporaryDirectory place;
    const SystemClock clock;
    std::filesystem::create_directory(place.path() / "one");
    (void)write_file_atomically(place.path() / "one/sock", "left there");
    const auto service = started(clock);
    REQUIRE(service->open("a1", place.path() / "one"));
    REQUIRE(service->open("b2", place.path() / "two"));
    REQUIRE(service->open("a1", place.path() / "one"));
    CHECK(ask(place.path() / "one/sock").ends_with("{\"id\":\"a1\"}\n"));
    CHECK(ask(place.path() / "two/sock").ends_with("{\"id\":\"b2\"}\n"));
    struct stat status{};
    REQUIRE(::stat((place.path() / "one/sock").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0666);
    service->close("a1", place.path() / "one");
    service->close("a1", place.path() / "one");
    CHECK(ask(place.path() / "one/sock") == "nobody listens");
    CHECK(ask(place.path() / "two/sock").ends_with("{\"id\":\"b2\"}\n"));
}

TEST_CASE("who holds all its connections gets no more of them, until their time is over",
          "[guest]") {
    const TemporaryDirectory place;
    const SystemClock clock;
    const auto service =
        started(clock, {.connections_max = 2, .time_max = std::chrono::milliseconds(600)});
    REQUIRE(service->open("a1", place.path() / "one"));
    REQUIRE(service->open("b2", place.path() / "two"));
    std::vector<Fd> silent;
    for (int count = 0; count < 2; ++count) silent.push_back(dial(place.path() / "one/sock"));
    const auto begin = std::chrono::steady_clock::now();
    CHECK(ask(place.path() / "two/sock").ends_with("{\"id\":\"b2\"}\n"));
    CHECK(ask(place.path() / "one/sock").ends_with("{\"id\":\"a1\"}\n"));
    CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(400));
    CHECK(rest_of(silent.front()).empty());
}

TEST_CASE("who asks faster than it may waits for its turn", "[guest]") {
    const TemporaryDirectory place;
    const SystemClock clock;
    const auto service = started(clock, {.requests_per_second = 10, .burst = 2});
    REQUIRE(service->open("a1", place.path() / "one"));
    const auto begin = std::chrono::steady_clock::now();
    for (int count = 0; count < 5; ++count)
        REQUIRE(ask(place.path() / "one/sock").starts_with("HTTP/1.1 200 "));
    CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(200));
}

TEST_CASE("what cannot be found out is told as an error", "[guest]") {
    const TemporaryDirectory place;
    const SystemClock clock;
    auto service = GuestService::start(clock).value();
    service->answer_with(
        [](const std::string&) -> Result<Json> { return fail(ErrorCode::unavailable, "gone"); });
    REQUIRE(service->open("a1", place.path() / "one"));
    CHECK(ask(place.path() / "one/sock").starts_with("HTTP/1.1 503 "));
}

TEST_CASE("without a descriptor for a client it waits, and answers when there is one", "[guest]") {
    const TemporaryDirectory place;
    const SystemClock clock;
    const auto service = started(clock);
    REQUIRE(service->open("a1", place.path()));
    Fd client;
    {
        NoDescriptors none;
        none.give_one_back();
        client = dial(place.path() / "sock");
        REQUIRE(client);
        CHECK(processor_time_within(500ms) < 50ms);
    }
    (void)write_all(client.get(), "GET /1.0 HTTP/1.1\r\n\r\n");
    CHECK(rest_of(client).ends_with("{\"id\":\"a1\"}\n"));
}
