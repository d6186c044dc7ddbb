// SPDX-License-Identifier: Apache-2.0
// Border file of <openssl/evp.h>. The private key's layout is OpenSSH's PROTOCOL.key.
#include "host/ssh/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <memory>

namespace berth::ssh {
namespace {

constexpr std::string_view key_type = "ssh-ed25519";
constexpr std::size_t ed25519_bytes = 32;  // RFC 8032: of the secret seed, and of the public key
constexpr std::size_t line_columns = 70;   // as ssh-keygen breaks its lines

struct FreeKey {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using RawKey = std::array<unsigned char, ed25519_bytes>;

/// An SSH string (RFC 4251 section 5): its length in four bytes, big end first, and its bytes.
std::string ssh_string(std::string_view bytes) {
    const auto size = bytes.size();
    std::string out;
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>((size >> shift) & 0xff);
    return out.append(bytes);
}

std::string as_string(const RawKey& key) {
    return {key.begin(), key.end()};
}

std::string armoured(std::string_view bytes) {
    const std::string body = encode_base64(bytes);
    std::string out = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
    for (std::size_t at = 0; at < body.size(); at += line_columns) {
        out.append(body, at, line_columns).append("\n");
    }
    return out + "-----END OPENSSH PRIVATE KEY-----\n";
}

std::string private_key_file(const std::string& public_blob, const RawKey& seed,
                             const RawKey& public_key, std::string_view check) {
    constexpr std::size_t block_bytes = 8;  // what the cipher "none" pads to
    using namespace std::string_literals;
    std::string secret;
    secret.append(check).append(check);  // the same twice, so that a decryption can be checked
    secret += ssh_string(key_type) + ssh_string(as_string(public_key));
    secret += ssh_string(as_string(seed) + as_string(public_key));
    secret += ssh_string("");  // comment
    for (char pad = 1; secret.size() % block_bytes != 0; ++pad) secret += pad;
    std::string file = "openssh-key-v1\0"s;                              // the NUL is part of it
    file += ssh_string("none") + ssh_string("none") + ssh_string("");    // cipher, kdf, its options
    file += "\0\0\0\1"s + ssh_string(public_blob) + ssh_string(secret);  // one key
    return armoured(file);
}

}  // namespace

Result<HostKey> generate_host_key() {
    const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    RawKey seed{};
    RawKey public_key{};
    std::array<unsigned char, 4> check{};
    std::size_t seed_size = seed.size();
    std::size_t public_size = public_key.size();
    if (!key || EVP_PKEY_get_raw_private_key(key.get(), seed.data(), &seed_size) != 1 ||
        EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &public_size) != 1 ||
        RAND_bytes(check.data(), static_cast<int>(check.size())) != 1) {
        return fail(ErrorCode::unavailable, "OpenSSL cannot make an Ed25519 key");
    }
    const std::string blob = ssh_string(key_type) + ssh_string(as_string(public_key));
    HostKey out{.private_key = private_key_file(blob, seed, public_key,
                                                std::string(check.begin(), check.end())),
                .public_key = std::string(key_type) + " " + encode_base64(blob)};
    OPENSSL_cleanse(seed.data(), seed.size());
    return out;
}

std::string fingerprint(const SshPublicKey& key) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    const std::string& blob = key.blob();
    (void)EVP_Digest(blob.data(), blob.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string base64 = encode_base64(std::string(digest.begin(), digest.begin() + size));
    base64.erase(base64.find('='));  // 32 bytes always need padding
    return "SHA256:" + base64;
}

}  // namespace berth::ssh
