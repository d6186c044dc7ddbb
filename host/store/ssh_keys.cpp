// SPDX-License-Identifier: Apache-2.0
#include "host/store/ssh_keys.h"

namespace berth::store {

Result<bool> SshKeys::insert(const SshKey& key) {
    const auto rows =
        BERTH_TRY(database_.run("INSERT INTO ssh_keys (container_id, fingerprint, public_key) "
                                "VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING number",
                                {key.container_id, key.fingerprint, key.public_key}));
    return !rows.empty();
}

Result<std::vector<SshKey>> SshKeys::list_of(std::string_view container_id) {
    std::vector<SshKey> out;
    for (const Row& row :
         BERTH_TRY(database_.read("SELECT container_id, fingerprint, public_key FROM ssh_keys "
                                  "WHERE container_id = ? ORDER BY number",
                                  {std::string(container_id)}))) {
        out.push_back({.container_id = text(row[0]),
                       .fingerprint = text(row[1]),
                       .public_key = text(row[2])});
    }
    return out;
}

Result<std::map<std::string, std::int64_t>> SshKeys::counts() {
    std::map<std::string, std::int64_t> out;
    for (const Row& row : BERTH_TRY(
             database_.read("SELECT container_id, COUNT(*) FROM ssh_keys GROUP BY container_id"))) {
        out.emplace(text(row[0]), integer(row[1]));
    }
    return out;
}

}  // namespace berth::store
