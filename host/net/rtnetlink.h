// SPDX-License-Identifier: Apache-2.0
// One request to rtnetlink(7), and the kernel's answer. Border file of <libmnl/libmnl.h>.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstdint>
#include <functional>
#include <string_view>

struct nlmsghdr;

namespace berth::net {

/// Sends one request, built by `fill`, and waits for the kernel's acknowledgement.
[[nodiscard]] Result<> request(std::string_view doing, std::uint16_t type, std::uint16_t flags,
                               const std::function<void(nlmsghdr*)>& fill);

}  // namespace berth::net
