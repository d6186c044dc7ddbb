// SPDX-License-Identifier: Apache-2.0
// The table of GPUs that containers hold, by PCI address, and that of devices by their CDI names.
// Whether two may hold one is decided by who inserts, inside the transaction.
#pragma once

#include "host/store/database.h"

#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

/// A container has it until it gives it back or is deleted, whether it runs or not.
struct GpuLease {
    std::string container_id;
    std::string gpu;         // as gpu::Chosen spells it
    std::string card;        // which card was there: its UUID, or what it is
    std::string since;       // RFC 3339
    bool by_cdi = false;     // since it is what a CDI device of the container opens
    std::string owner = {};  // the caller that it was leased for, "token:ci"; "": not known
    bool operator==(const GpuLease&) const = default;
};

class Devices {
public:
    explicit Devices(Database& database) : database_(database) {}

    [[nodiscard]] Result<> insert(const GpuLease& lease);
    [[nodiscard]] Result<> remove(std::string_view container_id, std::string_view gpu);
    [[nodiscard]] Result<std::vector<GpuLease>> leases();  // by GPU
    [[nodiscard]] Result<std::vector<GpuLease>> leases_of(std::string_view container_id);

    /// A device that a CDI spec describes, "nvidia.com/gpu=0".
    [[nodiscard]] Result<> insert_cdi(std::string_view container_id, std::string_view name);
    [[nodiscard]] Result<std::vector<std::string>> cdi_of(std::string_view container_id);

private:
    Database& database_;
};

}  // namespace berth::store
