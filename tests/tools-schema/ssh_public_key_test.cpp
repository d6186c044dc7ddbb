// SPDX-License-Identifier: Apache-2.0
// What reaches authorized_keys is one whole public key, and nothing that a client hid beside it.
#include "tests/support/catch.h"
#include "tools-schema/contract/names.h"

#include <fmt/format.h>

using namespace berth;
using namespace std::string_literals;

namespace {

std::string wire(std::string_view bytes) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += static_cast<char>((bytes.size() >> static_cast<unsigned>(shift)) & 0xff);
    }
    return out + std::string(bytes);
}

std::string line(const std::string& type, const std::string& blob) {
    return type + " " + encode_base64(blob);
}

std::string ed25519_blob() {
    return wire("ssh-ed25519") + wire(std::string(32, '\x07'));
}

std::string rsa_line(std::size_t bytes) {
    const auto modulus = "\0\x80"s + std::string(bytes - 1, '\x01');
    return line("ssh-rsa", wire("ssh-rsa") + wire("\x01\x00\x01"s) + wire(modulus));
}

std::string ecdsa_line(const std::string& curve, std::size_t point) {
    const auto type = "ecdsa-sha2-" + curve;
    return line(type, wire(type) + wire(curve) + wire(std::string(point, '\x04')));
}

std::string message(std::string_view text) {
    const auto key = SshPublicKey::parse(text);
    return key ? "accepted" : key.error().message;
}

// Made by ssh-keygen.
constexpr const char* from_ssh_keygen =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLf9lyjj7yCnJBWPx0o4nigk5ZrNdOgudzrpmMtA+3a ada@example";

}  // namespace

TEST_CASE("the line of a .pub file is a key with its type, blob and comment", "[ssh]") {
    const auto key = SshPublicKey::parse(from_ssh_keygen);
    REQUIRE(key.has_value());
    CHECK(key->type() == "ssh-ed25519");
    CHECK(key->blob().size() == 51);
    CHECK(key->to_string() == from_ssh_keygen);
    CHECK(SshPublicKey::parse(from_ssh_keygen + "\n"s)->to_string() == from_ssh_keygen);
    CHECK(SshPublicKey::parse(from_ssh_keygen + "\r\n"s)->to_string() == from_ssh_keygen);
}

TEST_CASE("two keys are equal when they log in as the same holder", "[ssh]") {
    const auto bare = SshPublicKey::parse(line("ssh-ed25519", ed25519_blob()));
    const auto named = SshPublicKey::parse(line("ssh-ed25519", ed25519_blob()) + " me");
    REQUIRE(bare.has_value());
    REQUIRE(named.has_value());
    CHECK(*bare == *named);
    CHECK(bare->to_string() != named->to_string());
}

TEST_CASE("every kind of key that OpenSSH makes today is accepted", "[ssh]") {
    CHECK(message(ecdsa_line("nistp256", 65)) == "accepted");
    CHECK(message(ecdsa_line("nistp384", 97)) == "accepted");
    CHECK(message(ecdsa_line("nistp521", 133)) == "accepted");
    CHECK(message(rsa_line(256)) == "accepted");
    CHECK(message(rsa_line(512)) == "accepted");
    const auto sk = "sk-ssh-ed25519@openssh.com"s;
    CHECK(message(line(sk, wire(sk) + wire(std::string(32, 'k')) + wire("ssh:"))) == "accepted");
    const auto sk_ecdsa = "sk-ecdsa-sha2-nistp256@openssh.com"s;
    CHECK(message(line(sk_ecdsa, wire(sk_ecdsa) + wire("nistp256") + wire(std::string(65, '\x04')) +
                                     wire("ssh:"))) == "accepted");
}

TEST_CASE("a private key is named as one and not repeated", "[ssh]") {
    const auto text =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"s;
    CHECK(message(text).contains("private key"));
    CHECK_FALSE(message(text).contains("c2VjcmV0"));
    CHECK(message("-----BEGIN RSA PRIVATE KEY-----").contains("private key"));
    CHECK(message("PuTTY-User-Key-File-3: ssh-ed25519").contains("private key"));
}

TEST_CASE("whatever is not one plain key is refused", "[ssh]") {
    const auto good = std::string(from_ssh_keygen);
    const auto blob = ed25519_blob();
    CHECK(message("command=\"sh\" " + good).contains("options"));
    CHECK(message("no-pty " + good).contains("options"));
    CHECK(message(good + "\n" + good).contains("one line"));
    CHECK(message("\n" + good).contains("one line"));
    CHECK(message(good + "\x1b[2J").contains("control characters"));
    CHECK(message("ssh-ed25519\tAAAA").contains("control characters"));
    CHECK(message(good + "\0"s).contains("control characters"));
    CHECK(message(line("ssh-ed25519", blob) + " " + std::string(256, 'c')) == "accepted");
    CHECK(message(line("ssh-ed25519", blob) + " " + std::string(257, 'c')).contains("comment"));
    CHECK(message("").contains("must be an OpenSSH public key"));
    CHECK(message("ssh-ed25519").contains("another type"));
    CHECK(message("ssh-ed25519 AAAA*").contains("base64"));
    CHECK(message("ssh-dss AAAAB3NzaC1kc3M=").contains("must be an OpenSSH public key"));
    CHECK(message("ssh-ed25519-cert-v01@openssh.com AAAA").contains("must be an OpenSSH"));
}

TEST_CASE("a blob must be a whole key of the type it says", "[ssh]") {
    const auto blob = ed25519_blob();
    CHECK(message(line("ssh-rsa", blob)).contains("another type"));
    for (std::size_t size = 0; size < blob.size(); ++size) {
        CAPTURE(size);
        CHECK(message(line("ssh-ed25519", blob.substr(0, size))) != "accepted");
    }
    CHECK(message(line("ssh-ed25519", blob + "x")).contains("damaged"));
    CHECK(message(line("ssh-ed25519", "\xff\xff\xff\xff")).contains("another type"));
    CHECK(message(ecdsa_line("nistp256", 64)).contains("damaged"));
    const auto type = "ecdsa-sha2-nistp256"s;
    CHECK(message(line(type, wire(type) + wire("nistp384") + wire(std::string(65, 'p'))))
              .contains("another curve"));
}

TEST_CASE("an RSA key of fewer than 2048 bits is refused with its size", "[ssh]") {
    CHECK(message(rsa_line(128)).contains("1024 bits"));
    CHECK(message(line("ssh-rsa", wire("ssh-rsa") + wire("\x03") + wire(std::string(512, '\0'))))
              .contains("0 bits"));
}
