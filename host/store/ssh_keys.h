// SPDX-License-Identifier: Apache-2.0
// The table of public keys that may log in to a container.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

struct SshKey {
    std::string container_id;
    std::string fingerprint;  // "SHA256:…", unique within a container
    std::string public_key;   // "ssh-ed25519 AAAA… comment"
};

class SshKeys {
public:
    explicit SshKeys(Database& database) : database_(database) {}

    /// True when it was not there before.
    [[nodiscard]] Result<bool> insert(const SshKey& key);
    [[nodiscard]] Result<std::vector<SshKey>> list_of(
        std::string_view container_id);  // in the order added
    /// How many each container has, by its id; one without any is not there.
    [[nodiscard]] Result<std::map<std::string, std::int64_t>> counts();

private:
    Database& database_;
};

}  // namespace berth::store
