// SPDX-License-Identifier: Apache-2.0
#include "sentinel/tls/client_hello.h"

#include "base/files.h"
#include "tests/sentinel/tls/hello_bytes.h"
#include "tests/support/catch.h"

#include <string>
#include <utility>
#include <vector>

using namespace berth;
using namespace berth::sentinel;

namespace {

HelloState state_of(std::string_view bytes) {
    return HelloReader().read(bytes);
}

std::string name_in(std::string_view bytes) {
    HelloReader reader;
    REQUIRE(reader.read(bytes) == HelloState::named);
    return std::string(reader.name().text());
}

HelloState with_extensions(std::string extensions) {
    return state_of(hello({.extensions = std::move(extensions)}));
}

}  // namespace

TEST_CASE("the name in a hello is found however the bytes arrive", "[tls]") {
    const std::size_t record_bytes = GENERATE(1U, 2U, 3U, 64U, 16384U);
    const std::size_t key_share_bytes = GENERATE(32U, 1216U);
    CAPTURE(record_bytes, key_share_bytes);
    const auto bytes = hello({.name = "Ada.Pool.Example.",
                              .key_share_bytes = key_share_bytes,
                              .record_bytes = record_bytes});
    SECTION("all at once, with what the client sends behind it") {
        CHECK(name_in(bytes + "early data") == "ada.pool.example");
    }
    SECTION("a byte at a time, and no byte too early") {
        HelloReader reader;
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            REQUIRE(reader.read(std::string_view(bytes).substr(0, length)) ==
                    HelloState::need_more);
        }
        REQUIRE(reader.read(bytes) == HelloState::named);
        CHECK(reader.name().text() == "ada.pool.example");
    }
    SECTION("in two parts, cut anywhere") {
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            HelloReader reader;
            REQUIRE(reader.read(std::string_view(bytes).substr(0, cut)) == HelloState::need_more);
            REQUIRE(reader.read(bytes) == HelloState::named);
        }
    }
}

TEST_CASE("hellos of real clients name the host that was asked for", "[tls]") {
    const auto& [file, name] = GENERATE(table<std::string, std::string>({
        {"openssl_tls13", "golden.example"},
        {"openssl_tls12", "golden.example"},
        {"openssl_no_name", ""},
        {"curl_h2", "golden.example"},
        {"python", "golden.example"},
    }));
    CAPTURE(file);
    const auto bytes = read_file("tests/fuzz/client_hello/" + file);
    REQUIRE(bytes);
    HelloReader reader;
    CHECK(reader.read(*bytes) == (name.empty() ? HelloState::no_name : HelloState::named));
    CHECK(reader.name().text() == name);
}

TEST_CASE("a hello of 64 KiB is read, in one byte a record too, and a larger one is not", "[tls]") {
    const std::size_t rest = hello_message({.key_share_bytes = 0}).size();
    const std::size_t record_bytes = GENERATE(1U, 16384U);
    const auto largest =
        hello({.key_share_bytes = hello_bytes_max - rest, .record_bytes = record_bytes});
    CHECK(largest.size() <= hello_wire_bytes_max);
    CHECK(name_in(largest) == "ada.example");
    const auto larger =
        hello({.key_share_bytes = hello_bytes_max - rest + 1, .record_bytes = record_bytes});
    CHECK(state_of(larger) == HelloState::malformed);
    CHECK(state_of(std::string_view(larger).substr(0, 4 * (5 + record_bytes))) ==
          HelloState::malformed);
}

TEST_CASE("what is not TLS is told by its first byte that is not, without waiting for more",
          "[tls]") {
    const std::string bytes =
        GENERATE(as<std::string>(), "S", "SSH-2.0-OpenSSH_9.2\r\n", "GET / HTTP/1.1\r\n",
                 "\r\n\r\n\0\r\nQUIT", "\x80\x2e\x01\x03\x01", "\x17\x03\x03", "\x15\x03\x01",
                 "\x14\x03\x03", "\x16\x02", "\x16\x05", "\x16\x03\x05");
    CAPTURE(bytes);
    CHECK(state_of(bytes) == HelloState::not_tls);
}

TEST_CASE("records that no client may send are not waited for", "[tls]") {
    CHECK(state_of(std::string("\x16\x03\x01\x00\x00", 5)) == HelloState::not_tls);
    CHECK(state_of(std::string("\x16\x03\x01\xff\xff", 5)) == HelloState::not_tls);
    CHECK(state_of(records("\2" + hello_message().substr(1))) ==
          HelloState::not_tls);  // a server's
    const auto half = hello_message().substr(0, 100);
    CHECK(state_of(records(half) + "\x17") == HelloState::malformed);
    CHECK(state_of(records(half) + std::string("\x16\x03\x01\x00\x00", 5)) ==
          HelloState::malformed);
    CHECK(state_of(std::string("\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9)) ==
          HelloState::malformed);
}

TEST_CASE("all record versions of SSL 3.0 to TLS 1.3 are taken", "[tls]") {
    const char minor = GENERATE(as<char>(), 0, 1, 2, 3, 4);
    CHECK(state_of(hello({.version_minor = minor})) == HelloState::named);
    CHECK(state_of(hello({.version_major = 5, .version_minor = minor})) == HelloState::not_tls);
}

TEST_CASE("a hello without a name is whole without one", "[tls]") {
    CHECK(with_extensions(extension(43, "\2\3\4")) == HelloState::no_name);
    CHECK(with_extensions("") == HelloState::no_name);
    auto body = hello_message({.extensions = ""});
    body.resize(body.size() - 2);  // TLS 1.0: no extensions at all
    body[3] = static_cast<char>(body[3] - 2);
    CHECK(state_of(records(body)) == HelloState::no_name);
}

TEST_CASE("a name that could be read in two ways is not read", "[tls]") {
    const auto one = server_name("ada.example");
    CHECK(with_extensions(one + server_name("other.example")) == HelloState::malformed);
    CHECK(with_extensions(one + one) == HelloState::malformed);
    const auto entry = [](std::string_view name) { return std::string(1, '\0') + block(2, name); };
    CHECK(with_extensions(extension(0, block(2, entry("ada.example") + entry("b.example")))) ==
          HelloState::malformed);
    CHECK(with_extensions(server_name("ada.example", 7)) == HelloState::malformed);
    CHECK(with_extensions(extension(0, "")) == HelloState::malformed);
    CHECK(with_extensions(extension(0, block(2, ""))) == HelloState::malformed);
}

TEST_CASE("a name that is no DNS name is whole and bad", "[tls]") {
    const std::string name = GENERATE(as<std::string>(), "", ".", "127.0.0.1", "[::1]",
                                      "ada example", "ad\xc3\xa4.example", "ada..example");
    CAPTURE(name);
    CHECK(with_extensions(server_name(name)) == HelloState::bad_name);
    CHECK(with_extensions(server_name(std::string("ada.example\0", 12))) == HelloState::bad_name);
    CHECK(with_extensions(server_name(std::string("ada.example\0.other", 18))) ==
          HelloState::bad_name);
    CHECK(with_extensions(server_name(std::string(300, 'a'))) == HelloState::bad_name);
    CHECK(with_extensions(server_name(std::string(60000, 'a'))) == HelloState::bad_name);
}

TEST_CASE("lengths that lie are found out", "[tls]") {
    CHECK(state_of(hello({.session_id_bytes = 33})) == HelloState::malformed);
    CHECK(with_extensions(number(0, 2) + number(200, 2) + "short") == HelloState::malformed);
    CHECK(with_extensions(extension(0, number(200, 2) + "short")) == HelloState::malformed);
    CHECK(with_extensions("\1") == HelloState::malformed);
    auto message = hello_message();
    SECTION("a message longer than its extensions") {
        message += "more";
        message[3] = static_cast<char>(message[3] + 4);
        CHECK(state_of(records(message)) == HelloState::malformed);
    }
    SECTION("every message cut short, with a length that fits the cut") {
        const std::size_t fixed = hello_message({.extensions = ""}).size() - 2;
        for (std::size_t length = 4; length < message.size(); ++length) {
            const auto cut = "\1" + block(3, std::string_view(message).substr(4, length - 4));
            REQUIRE(state_of(records(cut)) ==
                    (length == fixed ? HelloState::no_name : HelloState::malformed));
        }
    }
    SECTION("a message that promises more is waited for") {
        message[3] = static_cast<char>(message[3] + 4);
        CHECK(state_of(records(message)) == HelloState::need_more);
    }
}

TEST_CASE("a host that wants a tunnel offers its protocol and no other", "[tls]") {
    const auto wants = [](const std::string& extensions) {
        HelloReader reader;
        (void)reader.read(hello({.extensions = extensions}));
        return reader.wants_tunnel();
    };
    const std::string ours = "\016berth-tunnel/1";
    CHECK(wants(extension(16, block(2, ours))));
    CHECK(wants(server_name("front.example") + extension(16, block(2, ours))));
    CHECK_FALSE(wants(extension(16, block(2, ours + "\2h2"))));
    CHECK_FALSE(wants(extension(16, block(2, "\2h2" + ours))));
    CHECK_FALSE(wants(extension(16, block(2, "\016berth-tunnel/2"))));
    CHECK_FALSE(wants(extension(16, block(2, ours) + "x")));
    CHECK_FALSE(wants(extension(16, "")));
    CHECK_FALSE(wants(server_name("front.example")));
}
