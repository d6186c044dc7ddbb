// SPDX-License-Identifier: Apache-2.0
// The table of port forwards: one row per protocol and host port.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

struct Port {
    std::string container_id;
    std::string protocol;  // "tcp" or "udp"
    std::int64_t host_port = 0;
    std::int64_t container_port = 0;
    std::string created_at = {};  // RFC 3339
    bool operator==(const Port&) const = default;
};

class Ports {
public:
    explicit Ports(Database& database) : database_(database) {}

    /// already_exists with field "/host_port" when protocol and host port are taken.
    [[nodiscard]] Result<> insert(const Port& port);
    [[nodiscard]] Result<> remove(std::string_view protocol, std::int64_t host_port);
    [[nodiscard]] Result<std::optional<Port>> find(std::string_view protocol,
                                                   std::int64_t host_port);
    [[nodiscard]] Result<std::vector<Port>> list();  // by protocol, host port
    [[nodiscard]] Result<std::vector<Port>> list_of(
        std::string_view container_id);  // the same, of one

private:
    Database& database_;
};

}  // namespace berth::store
