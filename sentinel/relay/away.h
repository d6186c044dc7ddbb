// SPDX-License-Identifier: Apache-2.0
// Who speaks for a pool that is away.
#pragma once

#include "base/fd.h"

#include <string_view>

namespace berth::sentinel {

class Away {
public:
    Away() = default;
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;
    virtual ~Away() = default;
    /// Takes a client of that pool, who has said these bytes until now. False when nobody speaks
    /// for the pool or too many are spoken to; then the client is still the caller's. Any thread
    /// may call it, and it does not wait.
    [[nodiscard]] virtual bool take(std::string_view pool, Fd& client, std::string_view said) = 0;
};

}  // namespace berth::sentinel
