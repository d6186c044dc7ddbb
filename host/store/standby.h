// SPDX-License-Identifier: Apache-2.0
// Which containers are booted and wait to be claimed. Each has a row among the containers too,
// because what it holds (slot, uids, address) is nobody else's, under a name that nobody can ask
// for.
#pragma once

#include "host/store/database.h"

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace berth::store {

class Standby {
public:
    explicit Standby(Database& database) : database_(database) {}

    /// "standby/ID": no container that somebody asks for has such a name.
    [[nodiscard]] static std::string name_of(std::string_view id);
    [[nodiscard]] static bool is_name(std::string_view name);

    [[nodiscard]] Result<> insert(std::string_view id, std::string_view container_template);
    /// Takes one away with its row among the containers; busy when it does not wait, or no more.
    /// Call inside the transaction that inserts the row that it becomes.
    [[nodiscard]] Result<> take(std::string_view id);
    /// What each was made as, by id.
    [[nodiscard]] Result<std::map<std::string, std::string>> templates();

    /// Marks the row that a taken one has become, in the same transaction: all that its caller
    /// wants is written down. settle() takes the mark away.
    [[nodiscard]] Result<> mark_claimed(std::string_view id);
    [[nodiscard]] Result<> settle(std::string_view id);
    /// The ids of those that are marked.
    [[nodiscard]] Result<std::set<std::string>> claimed();

private:
    Database& database_;
};

}  // namespace berth::store
