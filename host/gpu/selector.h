// SPDX-License-Identifier: Apache-2.0
// One grammar to name GPUs, wherever one is named:
//   0000:0b:00.0  0b:00.0  0B:00.0     an address; without a domain, the one that is there
//   0000:0b:00.0/mig/1/0               a MIG instance: GPU instance 1, compute instance 0
//   0                                  the first real GPU by address: no management screen counts
//   GPU-…  MIG-…                       NVIDIA's UUIDs, whole
//   vendor=nvidia,model=~4090,memory>=24GiB,count=2    what it must be; count is 1 if not told
// Pure: text and an inventory in, addresses out.
#pragma once

#include "host/gpu/gpu.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gpu {

inline constexpr std::size_t selectors_max = 64;
inline constexpr std::size_t selector_bytes_max = 256;

/// What may not be chosen by what it is, because somebody has it: why, or nothing. What is named by
/// address or number is not asked for.
using Taken = std::function<std::optional<std::string>(const Chosen&)>;

/// Resolves each selector, in order. Errors name the selector by `pointer`/INDEX and change
/// nothing: invalid_argument for what is no selector, for one that fits several GPUs ("0b:00.0" in
/// two domains) and for a GPU that is named twice; not_found for what is not there, with how many
/// there are or which would do; busy when all that would do are taken.
[[nodiscard]] Result<std::vector<Chosen>> select(std::span<const Gpu> inventory,
                                                 std::span<const std::string> selectors,
                                                 std::string_view pointer = "/gpus",
                                                 const Taken& taken = {});

/// Whether `text` is a selector at all, without an inventory: invalid_argument with what is wrong.
[[nodiscard]] Result<> check_selector(std::string_view text);

/// The GPU at `address`; not_found, with the addresses that there are.
[[nodiscard]] Result<Gpu> find(std::span<const Gpu> inventory, const PciAddress& address);

}  // namespace berth::gpu
