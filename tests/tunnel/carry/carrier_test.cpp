// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/carrier.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <string>

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

std::pair<Fd, Fd> socket_pair(int flags = SOCK_NONBLOCK) {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, pair.data()) == 0);
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

/// A session of two carriers in this process, whose host's end has one port: 7.
struct Tunnelled {
    TemporaryDirectory directory;
    OwnCertificate own = certificate_in(directory.path());
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> ends;
    Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    SocketAddress place;
    std::unique_ptr<Carrier> host, front;

    Tunnelled() {
        KernelAddress address = SocketAddress::parse("127.0.0.1:0").value().to_kernel();
        REQUIRE(::bind(listener.get(), address.get(), address.size) == 0);
        REQUIRE(::listen(listener.get(), 16) == 0);
        address.size = sizeof address.storage;
        REQUIRE(::getsockname(listener.get(), address.get(), &address.size) == 0);
        place = SocketAddress::of(address).value();
        const auto ended = [this](SessionId, const Error& why) {
            const std::scoped_lock lock(mutex);
            ends.push_back(why.message);
            changed.notify_all();
        };
        host =
            Carrier::start({.target =
                                [this](SessionId, const StreamOpening& opening) {
                                    return opening.port == 7 ? std::optional(place) : std::nullopt;
                                },
                            .ended = ended})
                .value();
        front = Carrier::start({.ended = ended}).value();
        Channel dialled(TlsContext::client(own.certificate, {}).value(), name);
        Channel accepted(TlsContext::server(own).value());
        REQUIRE(shake_hands(dialled, accepted));
        auto [near, far] = socket_pair();
        host->adopt(1,
                    {.socket = std::move(near), .tls = std::move(dialled), .side = MuxSide::even});
        front->adopt(1, {.socket = std::move(far), .tls = std::move(accepted)});
    }

    /// The visitor's end of a stream to that port.
    std::pair<Fd, std::shared_ptr<Link>> open(std::uint16_t port) {
        auto [near, far] = socket_pair(0);
        REQUIRE(::fcntl(far.get(), F_SETFL, O_NONBLOCK) == 0);
        auto link = std::make_shared<Link>();
        front->open(1, {.port = port}, std::move(far), link, "refused");
        return {std::move(near), std::move(link)};
    }
    [[nodiscard]] Fd accept() const { return Fd(::accept(listener.get(), nullptr, nullptr)); }
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
    const auto [visitor, link] = tunnel.open(7);
    const Fd service = tunnel.accept();
    say(visitor, "question");
    REQUIRE(::shutdown(visitor.get(), SHUT_WR) == 0);
    CHECK(heard(service) == "question");
    const std::string answer(1 << 20, 'a');
    say(service, answer);
    REQUIRE(::shutdown(service.get(), SHUT_WR) == 0);
    CHECK(heard(visitor) == answer);
    CHECK_FALSE(link->reset_by_tunnel);
}

TEST_CASE("a port that was not allowed is refused, and its visitor told so", "[tunnel]") {
    Tunnelled tunnel;
    const auto [visitor, link] = tunnel.open(8);
    CHECK(heard(visitor) == "refused");
}

TEST_CASE("a reset of either end is one of the other", "[tunnel]") {
    Tunnelled tunnel;
    auto [visitor, link] = tunnel.open(7);
    Fd service = tunnel.accept();
    SECTION("by the visitor") {
        link->reset_by_front = true;
        visitor.reset();
        CHECK(heard(service) == "!");
    }
    SECTION("by the service, which has said something") {
        say(service, "x");
        std::array<char, 1> one{};
        REQUIRE(::recv(visitor.get(), one.data(), 1, 0) == 1);
        constexpr linger at_once{.l_onoff = 1, .l_linger = 0};
        REQUIRE(::setsockopt(service.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        service.reset();
        (void)heard(visitor);
        CHECK(link->reset_by_tunnel);
    }
    SECTION("by the session") {
        say(service, "x");
        std::array<char, 1> one{};
        REQUIRE(::recv(visitor.get(), one.data(), 1, 0) == 1);
        tunnel.front->cut(1, make_error(ErrorCode::denied, "cut"));
        (void)heard(visitor);
        CHECK(link->reset_by_tunnel);
        CHECK(heard(service) == "!");
    }
}

TEST_CASE("a session that retires ends with its last stream", "[tunnel]") {
    Tunnelled tunnel;
    auto [visitor, link] = tunnel.open(7);
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
