// SPDX-License-Identifier: Apache-2.0
// Results and errors as a person reads them.
#pragma once

#include "mcp-server/cli/terminal.h"
#include "tools-schema/contract/json.h"

#include <string>

namespace berth::cli {

/// Key and value for an object; a table for each list of objects in it.
[[nodiscard]] std::string render(const Json& result, const Look& look = {});

/// "berth: …", then where ("  at: ") and the next step ("  next: "), each on a line of its own. The
/// next step of a tool is told as the command that does it.
[[nodiscard]] std::string render(const Error& error, const Look& look = {});

}  // namespace berth::cli
