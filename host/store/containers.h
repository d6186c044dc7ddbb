// SPDX-License-Identifier: Apache-2.0
// The table of containers: what should be. Inserting a row is also the reservation of everything
// that must be unique: the name, the uid range, the address and the SSH port.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

/// How far a container's life has come. `creating` and `deleting` are undone or finished by the
/// reconciler after a crash; `ready` is acknowledged.
enum class Phase : std::uint8_t { creating, ready, deleting };

using Labels = std::map<std::string, std::string>;

struct Container {
    std::string id;  // 10 hexadecimal digits, never used again
    std::string name;
    Phase phase = Phase::creating;
    bool wanted_running = true;
    std::string image;         // the name it was created from
    std::string image_digest;  // the content it runs on, "sha256:…"
    std::int64_t slot = 0;     // the number that its uid range, address and SSH port derive from
    std::int64_t uid_base = 0;
    std::string ipv4;
    std::int64_t ssh_port = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t cpu_percent = 0;
    std::int64_t processes = 0;
    std::string host_key;    // public, "ssh-ed25519 AAAA…"
    std::string created_at;  // RFC 3339
    Labels labels = {};      // what the caller calls it by; nothing of ours depends on them
};

class Containers {
public:
    explicit Containers(Database& database) : database_(database) {}

    /// The next slot in [0, slots) that no row holds, starting after the one given out last, so
    /// that a deleted container's address and uid range rest as long as possible. quota_exceeded
    /// when all are taken. Call inside the transaction that inserts.
    [[nodiscard]] Result<std::int64_t> next_slot(std::int64_t slots);

    /// already_exists with field "/name" when the name is taken.
    [[nodiscard]] Result<> insert(const Container& container);
    [[nodiscard]] Result<> set_phase(std::string_view id, Phase phase);
    [[nodiscard]] Result<> set_wanted_running(std::string_view id, bool wanted);
    /// Removes the row; its ports and keys go with it.
    [[nodiscard]] Result<> remove(std::string_view id);

    [[nodiscard]] Result<std::optional<Container>> find_by_name(std::string_view name);
    [[nodiscard]] Result<std::vector<Container>> list();  // by name

private:
    Database& database_;
};

}  // namespace berth::store
