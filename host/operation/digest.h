// SPDX-License-Identifier: Apache-2.0
// Whether two calls ask for the same thing.
#pragma once

#include "tools-schema/contract/json.h"

#include <string>

namespace berth::operation {

/// SHA-256, in hexadecimal, of the arguments in their canonical form: keys in order, absent and
/// null the same, and without those that say how to call and not what for (request_id,
/// confirm_token, background, dry_run, response_format).
[[nodiscard]] std::string digest_of(const Json& arguments);

}  // namespace berth::operation
