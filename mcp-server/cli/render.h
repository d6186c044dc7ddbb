// SPDX-License-Identifier: Apache-2.0
// Results and errors as a person reads them in a terminal.
#pragma once

#include "tools-schema/contract/json.h"

#include <string>

namespace berth::cli {

/// Key and value for an object; a table for each list of objects in it.
[[nodiscard]] std::string render(const Json& result);

/// "berth: …", the field and the next step, each on a line of its own.
[[nodiscard]] std::string render(const Error& error);

}  // namespace berth::cli
