// SPDX-License-Identifier: Apache-2.0
// The GPUs of this host with everything that is known of them, for those who list and choose them.
#pragma once

#include "host/gpu/inventory.h"
#include "host/gpu/nvidia_smi.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace berth::gpu {

class Gpus {
public:
    explicit Gpus(Roots roots) : roots_(std::move(roots)) {}

    [[nodiscard]] const Roots& roots() const { return roots_; }

    /// The inventory, with the memory of NVIDIA's GPUs, and UUIDs of MIG instances where a CDI spec
    /// has them. NVIDIA's tool is asked once for each GPU that its driver has started, which may
    /// take seconds. Thread-safe.
    [[nodiscard]] Result<std::vector<Gpu>> list();

    /// Asks NVIDIA's tool now.
    [[nodiscard]] Result<std::vector<SmiReport>> report() const {
        return ask_nvidia_smi(roots_.nvidia_smi);
    }

private:
    /// By address and UUID: a GPU that was replaced is another one. Nothing: it was not told.
    using Key = std::pair<PciAddress, std::string>;
    void add_memory(std::vector<Gpu>& gpus);

    const Roots roots_;
    std::mutex mutex_;
    std::map<Key, std::optional<std::int64_t>> memory_;
    std::chrono::steady_clock::time_point ask_again_at_ = {};  // after a failure
};

}  // namespace berth::gpu
