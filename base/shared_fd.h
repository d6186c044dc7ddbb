// SPDX-License-Identifier: Apache-2.0
// A descriptor with several owners, where nobody can tell which of them is done last.
#pragma once

#include "base/fd.h"

#include <memory>

namespace berth {

/// The number, closed with the last copy of this pointer. Never null.
[[nodiscard]] inline std::shared_ptr<const int> share(Fd fd) {
    struct Shared {
        Fd fd;
        int number;
    };
    const int number = fd.get();
    const auto shared = std::make_shared<const Shared>(std::move(fd), number);
    return {shared, &shared->number};
}

}  // namespace berth
