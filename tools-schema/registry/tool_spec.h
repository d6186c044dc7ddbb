// SPDX-License-Identifier: Apache-2.0
// A tool as data: everything its JSON file says. The generated catalogue is a list of these, and
// the MCP listing, the CLI, the documentation and the example tests are all made from it.
#pragma once

#include <span>
#include <string_view>

namespace berth {

struct ToolSpec {
    std::string_view name = {};  // "container_create"
    std::string_view title = {};
    std::string_view description = {};
    bool read_only = false;
    bool destructive = false;
    bool idempotent = false;
    bool open_world = false;
    bool in_default = true;     // offered where nobody says which tools they want
    bool long_running = false;  // may take minutes: has `background`, and can answer an operation
    std::string_view toolset = {};       // "container", "exec", "port", "ssh", "gpu", "admin"
    std::string_view scope = {};         // "container.write"
    std::string_view input_schema = {};  // JSON text, references inlined
    std::string_view output_schema =
        {};  // JSON text, references inlined: of what it answers in detail
    std::string_view concise =
        {};  // {"/pointer":["member that is kept"]}, or "" when there is one format
    std::string_view listing = {};   // the tools/list entry, JSON text, serialised once
    std::string_view cli = {};       // {"verb":["container","create"],"positional":["name"]}
    std::string_view examples = {};  // JSON array: {"says","arguments","result"|"error"}
    std::string_view errors =
        {};  // JSON array of the codes it may return besides invalid_argument and internal
};

/// Whether berth-sentinel answers it, and not berthd.
[[nodiscard]] inline bool is_of_sentinel(const ToolSpec& tool) {
    return tool.scope.starts_with("pool.");
}

/// Every tool, in the order of the catalogue (by file name).
[[nodiscard]] std::span<const ToolSpec> tool_catalogue();

/// The tool of that name, or nullptr.
[[nodiscard]] const ToolSpec* find_tool(std::string_view name);

}  // namespace berth
