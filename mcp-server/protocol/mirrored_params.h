// SPDX-License-Identifier: Apache-2.0
// Arguments that a modern client repeats in headers, so that proxies can route by them: properties
// whose schema carries "x-mcp-header".
#pragma once

#include "base/http_message.h"
#include "mcp-server/protocol/fault.h"

#include <string>
#include <vector>

namespace berth::mcp {

struct MirroredParam {
    std::vector<std::string> path;  // of the property, from the root of the arguments
    std::string header;             // "mcp-param-region"
};

/// Those of an input schema.
[[nodiscard]] std::vector<MirroredParam> mirrored_params(const Json& input_schema);

/// A Fault when a header does not say what the argument says.
[[nodiscard]] std::expected<void, Fault> check_mirrored(const std::vector<MirroredParam>& params,
                                                        const Json& arguments,
                                                        const HttpHeaders& headers);

}  // namespace berth::mcp
