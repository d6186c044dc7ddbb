// SPDX-License-Identifier: Apache-2.0
// What has become of a call with a request_id when berthd ended in the middle of it: whether what
// it asked for is there all the same.
#pragma once

#include "host/container/container_service.h"
#include "host/operation/operations.h"
#include "tools-schema/registry/invoker.h"

namespace berth::tools {

/// Both must outlive the operations that use it.
[[nodiscard]] operation::Operations::Recovery recovery(container::ContainerService& containers,
                                                       Invoker& tools);

}  // namespace berth::tools
