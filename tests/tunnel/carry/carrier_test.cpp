// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/carrier.h"

#include "base/descriptor_limit.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace berth;
using namespace berth::tunnel;
using namespace std::chrono_literals;

namespace {

constexpr const char* name = "front.test";

/// Writes a key and a certificate for `name`, which certifies itself.
OwnCertificate certificate_in(const std::filesystem::path& directory) {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const made = X509_new();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, key);
    X509_NAME* const subject = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(made, subject);
    X509_sign(made, key, EVP_sha256());
    const OwnCertificate own{.certificate = directory / "front.pem", .key = directory / "key.pem"};
    FILE* file = std::fopen(own.certificate.c_str(), "w");
    PEM_write_X509(file, made);
    std::fclose(file);
    file = std::fopen(own.key.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(made);
    EVP_PKEY_free(key);
    return own;
}

std::pair<Fd, Fd> socket_pair() {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) == 0);
    return {Fd(pair[0]), Fd(pair[1])};
}

/// Carries what both have to say until both are ready, or one will not.
Result<> shake_hands(Channel& one, Channel& other) {
    std::string none;
    while (!one.ready() || !other.ready()) {
        const std::string there(one.output());
        one.sent(there.size());
        if (const auto heard = other.receive(there, none); !heard) return fail(heard.error());
        const std::string back(other.output());
        other.sent(back.size());
        if (const auto heard = one.receive(back, none); !heard) return fail(heard.error());
    }
    return {};
}

/// Where it listens from now on: a port of the loopback's.
SocketAddress listen_on(const Fd& socket) {
    // Of those that are accepted too: what does not come fails a test, and holds it up no longer.
    constexpr timeval patience{.tv_sec = 10, .tv_usec = 0};
    REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    KernelAddress address = SocketAddress::parse("127.0.0.1:0").value().to_kernel();
    REQUIRE(::bind(socket.get(), address.get(), address.size) == 0);
    REQUIRE(::listen(socket.get(), SOMAXCONN) == 0);
    address.size = sizeof address.storage;
    REQUIRE(::getsockname(socket.get(), address.get(), &address.size) == 0);
    return SocketAddress::of(address).value();
}

/// A session of two carriers in this process, whose host's end has one port: 7.
struct Tunnelled {
    TemporaryDirectory directory;
    OwnCertificate own = certificate_in(directory.path());
    std::mutex gate;  // that the host's end passes for each stream
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> ends;
    bool is_leaving = false;  // the host was told to come again
    SessionSums carried;      // by the one that ended last
    std::vector<StreamEnd> stream_ends;
    Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    Fd visitors{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    SocketAddress place = listen_on(listener), visitors_place = listen_on(visitors);
    std::unique_ptr<Carrier> host, front;

    Fd silent;  // of a host that is not there

    explicit Tunnelled(CarrierLimits limits = {}, bool host_is_there = true) {
        const auto ended = [this](SessionId, const Error& why, const SessionSums& sums) {
            const std::scoped_lock lock(mutex);
            ends.push_back(why.message);
            carried = sums;
            changed.notify_all();
        };
        host =
            Carrier::start({.target =
                                [this](SessionId, const StreamOpening& opening) {
                                    const std::scoped_lock passing(gate);
                                    return opening.port == 7 ? std::optional(place) : std::nullopt;
                                },
                            .ended = ended,
                            .leaving =
                                [this](SessionId) {
                                    const std::scoped_lock lock(mutex);
                                    is_leaving = true;
                                    changed.notify_all();
                                }})
                .value();
        front = Carrier::start({.ended = ended}, std::move(limits)).value();
        Channel dialled(TlsContext::client(own.certificate, {}).value(), name);
        Channel accepted(TlsContext::server(own).value());
        REQUIRE(shake_hands(dialled, accepted));
        auto [near, far] = socket_pair();
        if (host_is_there) {
            host->adopt(
                1, {.socket = std::move(near), .tls = std::move(dialled), .side = MuxSide::even});
        } else {
            silent = std::move(near);
        }
        front->adopt(1, {.socket = std::move(far), .tls = std::move(accepted)});
    }

    /// The visitor's end of a stream to that port.
    Fd open(std::uint16_t port, std::string said = "") {
        Fd near(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const KernelAddress address = visitors_place.to_kernel();
        REQUIRE(::connect(near.get(), address.get(), address.size) == 0);
        Fd far(::accept4(visitors.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        front->open(1, {.port = port},
                    {.socket = std::move(far),
                     .said = std::move(said),
                     .refusal = "refused",
                     .watcher = std::make_unique<Watcher>(*this)});
        return near;
    }
    [[nodiscard]] Fd accept() const { return Fd(::accept(listener.get(), nullptr, nullptr)); }
    /// How the first stream ended.
    StreamEnd stream_end() {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, 10s, [this] { return !stream_ends.empty(); }));
        return stream_ends.front();
    }

private:
    struct Watcher final : StreamWatcher {
        explicit Watcher(Tunnelled& of) : tunnelled(of) {}
        void heard() override {}
        void over(const StreamEnd& end) override {
            const std::scoped_lock lock(tunnelled.mutex);
            tunnelled.stream_ends.push_back(end);
            tunnelled.changed.notify_all();
        }
        Tunnelled& tunnelled;
    };
};

void say(const Fd& socket, std::string_view text) {
    REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
}

/// All that comes until the end, or a reset as "!".
std::string heard(const Fd& socket) {
    std::string all;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (got < 0) return all + "!";
        if (got == 0) return all;
        all.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace

TEST_CASE("a stream carries both directions, and each ends by itself", "[tunnel]") {
    Tunnelled tunnel;
    const Fd visitor = tunnel.open(7, "hello, ");
    const Fd service = tunnel.accept();
    say(visitor, "question");
    REQUIRE(::shutdown(visitor.get(), SHUT_WR) == 0);
    CHECK(heard(service) == "hello, question");
    const std::string answer(1 << 20, 'a');
    say(service, answer);
    REQUIRE(::shutdown(service.get(), SHUT_WR) == 0);
    CHECK(heard(visitor) == answer);
    const StreamEnd end = tunnel.stream_end();
    CHECK(end.how == StreamEnd::How::ended);
    CHECK(end.bytes_from_socket == std::string("question").size());
    CHECK(end.bytes_to_socket == answer.size());
}

TEST_CASE("what a visitor has said already may be more than a stream has room for", "[tunnel]") {
    Tunnelled tunnel;
    const std::string said(1 << 20, 's');
    const Fd visitor = tunnel.open(7, said);
    const Fd service = tunnel.accept();
    say(visitor, "more");
    REQUIRE(::shutdown(visitor.get(), SHUT_WR) == 0);
    CHECK(heard(service) == said + "more");
}

TEST_CASE("a port that was not allowed is refused, and its visitor told so", "[tunnel]") {
    Tunnelled tunnel;
    const Fd visitor = tunnel.open(8, "hello");
    say(visitor, "which nobody reads");
    CHECK(heard(visitor) == "refused");
    CHECK(tunnel.stream_end().how == StreamEnd::How::refused);
}

TEST_CASE("a reset of either end is one of the other", "[tunnel]") {
    Tunnelled tunnel;
    Fd visitor = tunnel.open(7);
    Fd service = tunnel.accept();
    constexpr linger at_once{.l_onoff = 1, .l_linger = 0};
    const auto reset = [&](Fd& socket) {
        REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        socket.reset();
    };
    SECTION("by the visitor") {
        reset(visitor);
        CHECK(heard(service) == "!");
    }
    SECTION("by the service, which has said something") {
        say(service, "x");
        std::array<char, 1> one{};
        REQUIRE(::recv(visitor.get(), one.data(), 1, 0) == 1);
        reset(service);
        CHECK(heard(visitor) == "!");
    }
    SECTION("by the session") {
        say(service, "x");
        std::array<char, 1> one{};
        REQUIRE(::recv(visitor.get(), one.data(), 1, 0) == 1);
        tunnel.front->cut(1, make_error(ErrorCode::denied, "cut"));
        CHECK(heard(visitor) == "!");
        CHECK(heard(service) == "!");
    }
    CHECK(tunnel.stream_end().how == StreamEnd::How::reset);
}

TEST_CASE("a visitor who has ended and hears nothing for long is reset", "[tunnel]") {
    Tunnelled tunnel({.half_closed_max = 200ms});
    const Fd visitor = tunnel.open(7);
    const Fd service = tunnel.accept();
    say(visitor, "question");
    REQUIRE(::shutdown(visitor.get(), SHUT_WR) == 0);
    CHECK(heard(visitor) == "!");
    CHECK(heard(service) == "question");
    CHECK(tunnel.stream_end().how == StreamEnd::How::reset);
}

TEST_CASE("a session that has as many streams as it may have refuses one more at once",
          "[tunnel]") {
    CarrierLimits limits;
    limits.mux.streams_max = 2;
    Tunnelled tunnel(limits);
    Fd first = tunnel.open(7);
    const Fd second = tunnel.open(7);
    Fd service = tunnel.accept();
    const Fd other = tunnel.accept();
    CHECK(heard(tunnel.open(7, "hello")) == "refused");
    CHECK(tunnel.stream_end().how == StreamEnd::How::full);
    first.reset();  // which makes room
    service.reset();
    {
        std::unique_lock lock(tunnel.mutex);
        REQUIRE(tunnel.changed.wait_for(lock, 10s, [&] { return tunnel.stream_ends.size() == 2; }));
    }
    const Fd third = tunnel.open(7, "hello");
    service = tunnel.accept();
    REQUIRE(::shutdown(third.get(), SHUT_WR) == 0);
    CHECK(heard(service) == "hello");
}

TEST_CASE("a session whose numbers are spent makes room for another", "[tunnel]") {
    CarrierLimits limits;
    limits.mux.id_max = 1;
    Tunnelled tunnel(limits);
    Fd first = tunnel.open(7, "hello");
    Fd service = tunnel.accept();
    CHECK(heard(tunnel.open(7)) == "refused");
    {
        std::unique_lock lock(tunnel.mutex);
        CHECK(tunnel.changed.wait_for(lock, 10s, [&] { return tunnel.is_leaving; }));
        CHECK(tunnel.ends.empty());  // until the last has ended
    }
    first.reset();
    service.reset();
    std::unique_lock lock(tunnel.mutex);
    CHECK(tunnel.changed.wait_for(lock, 10s, [&] { return tunnel.ends.size() == 2; }));
}

TEST_CASE("many streams that are opened while the host is busy are all taken", "[tunnel]") {
    constexpr std::size_t count = 600;  // whose openings come in one read
    (void)raise_descriptor_limit();
    Tunnelled tunnel;
    std::vector<Fd> visitors, services;
    {
        const std::scoped_lock busy(tunnel.gate);
        for (std::size_t at = 0; at < count; ++at) visitors.push_back(tunnel.open(7, "x"));
        // Of what a carrier has taken it counts, and tells nobody.
        while (tunnel.front->bytes_from_sockets() < count) std::this_thread::sleep_for(1ms);
    }
    for (std::size_t at = 0; at < count; ++at) {
        services.push_back(tunnel.accept());
        REQUIRE(services.back());
    }
    for (const Fd& service : services) {
        std::array<char, 1> one{};
        REQUIRE(::recv(service.get(), one.data(), 1, 0) == 1);
    }
    const std::scoped_lock lock(tunnel.mutex);
    CHECK(tunnel.stream_ends.empty());
}

TEST_CASE(
    "a peer who vanishes without a word is given up soon after somebody wants something of it",
    "[tunnel]") {
    CarrierLimits limits;
    limits.mux.quiet_max = 10ms;
    limits.mux.sign_wait_max = 100ms;
    limits.mux.pong_wait_max = 1h;
    Tunnelled tunnel(limits, false);
    CHECK(heard(tunnel.open(7, "is anybody there?")) == "refused");
    CHECK(tunnel.stream_end().how == StreamEnd::How::refused);
    std::unique_lock lock(tunnel.mutex);
    REQUIRE(tunnel.changed.wait_for(lock, 10s, [&] { return !tunnel.ends.empty(); }));
    CHECK(tunnel.ends.front().contains("no sign of life"));
}

TEST_CASE("streams that are open when the carrier stops are told so", "[tunnel]") {
    Tunnelled tunnel;
    const Fd visitor = tunnel.open(7);
    const Fd service = tunnel.accept();
    CHECK(tunnel.front->streams() == 1);
    tunnel.front.reset();
    CHECK(tunnel.stream_end().how == StreamEnd::How::stopped);
}

TEST_CASE("a session that retires ends with its last stream", "[tunnel]") {
    Tunnelled tunnel;
    Fd visitor = tunnel.open(7);
    Fd service = tunnel.accept();
    tunnel.front->retire(1);
    say(service, "still here");
    REQUIRE(::shutdown(service.get(), SHUT_WR) == 0);
    CHECK(heard(visitor) == "still here");
    {
        const std::scoped_lock lock(tunnel.mutex);
        CHECK(tunnel.ends.empty());
    }
    visitor.reset();
    std::unique_lock lock(tunnel.mutex);
    CHECK(tunnel.changed.wait_for(lock, 10s, [&] { return tunnel.ends.size() == 2; }));
    CHECK(tunnel.carried.streams == 1);
    CHECK(tunnel.carried.bytes_from_sockets + tunnel.carried.bytes_to_sockets == 10);
}

TEST_CASE("a session whose host was told to come again elsewhere takes streams until it is ended",
          "[tunnel]") {
    Tunnelled tunnel;
    tunnel.front->dismiss_all();
    {
        std::unique_lock lock(tunnel.mutex);
        REQUIRE(tunnel.changed.wait_for(lock, 10s, [&] { return tunnel.is_leaving; }));
    }
    const Fd visitor = tunnel.open(7, "late");
    Fd service = tunnel.accept();
    REQUIRE(::shutdown(visitor.get(), SHUT_WR) == 0);
    CHECK(heard(service) == "late");
    say(service, "and welcome");
    service.reset();
    CHECK(heard(visitor) == "and welcome");
    const std::scoped_lock lock(tunnel.mutex);
    CHECK(tunnel.ends.empty());
}

TEST_CASE("a sentinel is believed by its certificate alone", "[tunnel]") {
    const TemporaryDirectory ours, another;
    const auto own = certificate_in(ours.path()), strange = certificate_in(another.path());
    Channel accepted(TlsContext::server(own).value());
    SECTION("that another authority has made") {
        Channel dialled(TlsContext::client(strange.certificate, {}).value(), name);
        const auto done = shake_hands(dialled, accepted);
        REQUIRE_FALSE(done);
        CHECK(done.error().code == ErrorCode::denied);
    }
    SECTION("that is for another name") {
        Channel dialled(TlsContext::client(own.certificate, {}).value(), "other.test");
        const auto done = shake_hands(dialled, accepted);
        REQUIRE_FALSE(done);
        CHECK(done.error().message.find("ostname") != std::string::npos);
    }
}
