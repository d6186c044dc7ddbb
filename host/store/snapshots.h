// SPDX-License-Identifier: Apache-2.0
// The table of snapshots: layers that somebody has given a name.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

struct Snapshot {
    std::string container_id;
    std::string name;  // unique within a container
    std::string description;
    std::string layer_id;
    std::string created_at;      // RFC 3339
    std::string container = {};  // the container's name; only read
    std::int64_t bytes = 0;      // the layer's; only read
    bool exact = true;           // the layer's; only read
};

class Snapshots {
public:
    explicit Snapshots(Database& database) : database_(database) {}

    /// already_exists with field "/name" when the container has one of that name.
    [[nodiscard]] Result<> insert(const Snapshot& snapshot);
    [[nodiscard]] Result<> remove(std::string_view container_id, std::string_view name);
    [[nodiscard]] Result<std::optional<Snapshot>> find(std::string_view container_id,
                                                       std::string_view name);
    /// Of one container, or of all when `container_id` is ""; by container, in the order taken.
    [[nodiscard]] Result<std::vector<Snapshot>> list(std::string_view container_id = "");

private:
    Database& database_;
};

}  // namespace berth::store
