// SPDX-License-Identifier: Apache-2.0
// Keys as the real ssh-keygen reads them.
#include "host/ssh/keys.h"

#include "tests/host/ssh/openssh.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <filesystem>

using namespace berth;
using namespace berth::ssh;
namespace fs = std::filesystem;

TEST_CASE("ssh-keygen reads a new host key and finds the same public key in it") {
    const TemporaryDirectory directory;
    const auto key = generate_host_key().value();
    directory.write("host_key", key.private_key);
    const fs::path file = directory.path() / "host_key";
    fs::permissions(file, fs::perms::owner_read);
    CHECK(openssh({"ssh-keygen", "-y", "-P", "", "-f", file.string()}) == key.public_key + "\n");
    CHECK(SshPublicKey::parse(key.public_key).value().type() == "ssh-ed25519");
}

TEST_CASE("ssh-keygen signs with a new host key, and the signature is good for its public key") {
    const TemporaryDirectory directory;
    const auto key = generate_host_key().value();
    directory.write("host_key", key.private_key);
    directory.write("signers", "host " + key.public_key + "\n");
    directory.write("text", "hello");
    const auto at = [&](const char* name) { return (directory.path() / name).string(); };
    fs::permissions(at("host_key"), fs::perms::owner_read);
    openssh({"ssh-keygen", "-q", "-Y", "sign", "-n", "test", "-f", at("host_key"), at("text")});
    openssh({"ssh-keygen", "-Y", "verify", "-n", "test", "-I", "host", "-f", at("signers"), "-s",
             at("text.sig")},
            "hello");
}

TEST_CASE("every host key is another one") {
    const auto one = generate_host_key().value();
    const auto two = generate_host_key().value();
    CHECK(one.public_key != two.public_key);
    CHECK(one.private_key != two.private_key);
}

TEST_CASE("a fingerprint is the one that ssh-keygen -l shows, for every type of key") {
    const std::string type = GENERATE("ed25519", "rsa", "ecdsa");
    const TemporaryDirectory directory;
    const std::string file = (directory.path() / "id").string();
    openssh({"ssh-keygen", "-q", "-t", type, "-N", "", "-C", "ada@example", "-f", file});
    const auto key = SshPublicKey::parse(read_file(file + ".pub").value()).value();
    const std::string shown = openssh({"ssh-keygen", "-l", "-f", file + ".pub"});
    INFO(shown);
    CHECK(shown.contains(" " + fingerprint(key) + " "));
}
