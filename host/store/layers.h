// SPDX-License-Identifier: Apache-2.0
// The tables of layers, and of which container stands on which.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

struct Layer {
    std::string id;      // 16 hexadecimal digits, also the name of its directory
    std::string parent;  // "": the image itself
    std::string image_digest;
    std::int64_t uid_base = 0;
    std::int64_t bytes = 0;
    bool exact = true;  // false when some blocks may be counted more than once
    std::string created_at;
};

/// What a container's root stands on.
struct ContainerRoot {
    std::string layer_id;
    std::string name;  // of the layer that the container changes
};

class Layers {
public:
    explicit Layers(Database& database) : database_(database) {}

    [[nodiscard]] Result<> insert(const Layer& layer);
    /// That layer and all below it, the topmost first.
    [[nodiscard]] Result<std::vector<Layer>> chain(std::string_view id);
    [[nodiscard]] Result<std::set<std::string>> ids();

    /// Nothing for a container that stands on its image alone.
    [[nodiscard]] Result<std::optional<ContainerRoot>> root_of(std::string_view container_id);
    [[nodiscard]] Result<> set_root(std::string_view container_id, const ContainerRoot& root);

    /// Removes, in one transaction, every layer that nothing stands on, and those that only they
    /// stood on; `kept` ones stay. The ids that were removed.
    [[nodiscard]] Result<std::vector<std::string>> remove_unused(
        const std::multiset<std::string>& kept);

private:
    Database& database_;
};

}  // namespace berth::store
