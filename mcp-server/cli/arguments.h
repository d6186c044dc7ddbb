// SPDX-License-Identifier: Apache-2.0
// Words of the command line to a tool's arguments, guided by its input schema.
#pragma once

#include "mcp-server/cli/verbs.h"
#include "tools-schema/contract/json.h"

#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace berth::cli {

/// What was given, by field.
struct Given {
    std::map<std::string, std::vector<std::string>> values;
    std::set<std::string> flags;
};

/// The arguments object. `in` is read for a value "-" of a field that may come from a file.
[[nodiscard]] Result<Json> to_arguments(const Verb& verb, const Given& given, std::istream& in);

/// A port request in short: "80", "8080:80", "5353:53/udp".
[[nodiscard]] Result<Json> read_port_request(std::string_view text);

}  // namespace berth::cli
