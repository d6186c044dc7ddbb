// SPDX-License-Identifier: Apache-2.0
// Host keys and fingerprints in OpenSSH's own formats. Bytes in, text out, no I/O.
#pragma once

#include "tools-schema/contract/names.h"

#include <string>

namespace berth::ssh {

struct HostKey {
    std::string private_key;  // PROTOCOL.key, "-----BEGIN OPENSSH PRIVATE KEY-----…", unencrypted
    std::string public_key;   // "ssh-ed25519 AAAA…"
};

/// A new Ed25519 key. Fails only when OpenSSL has no randomness.
[[nodiscard]] Result<HostKey> generate_host_key();

/// "SHA256:" and unpadded base64, as `ssh-keygen -l` prints it.
[[nodiscard]] std::string fingerprint(const SshPublicKey& key);

}  // namespace berth::ssh
