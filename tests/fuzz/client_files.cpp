// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the editors of MCP clients' configuration files. What they accept they must give
// back: with the entry in and out again a text means what it meant, and its undo is exact.
#include "mcp-server/clients/client_configs.h"
#include "mcp-server/clients/undo.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace berth;
using namespace berth::clients;

void require(bool holds) {
    if (!holds) std::abort();
}

Json without_empty_list(const Client& client, Json value) {
    const auto list = value.find(client.list);
    if (list != value.end() && list->is_object() && list->empty()) value.erase(list);
    return value;
}

void put_and_take(const Client& client, const std::string& text) {
    const auto entry = client.entry({.command = "/usr/bin/berth-mcp", .args = {"--stdio"}});
    const auto before = whole_value(client, text);
    const auto old = entry_in(client, text, "berth");
    if (old && !old->is_null()) (void)remove_entry(client, text, "berth", false);
    const auto added = add_entry(client, text, "berth", entry);
    if (!added) return;
    require(before && old);
    require(entry_in(client, *added, "berth")->is_object());
    const auto undo = undone(edit_between(text, *added), *added);
    if (undo) require(*undo == text);
    const bool named =
        before->contains(client.list) && (*before)[std::string(client.list)].contains("berth");
    if (named) return;  // a null, maybe
    const auto removed = remove_entry(client, *added, "berth", true);
    if (!removed) return;  // refused, because no proof was found
    require(without_empty_list(client, *whole_value(client, *removed)) ==
            without_empty_list(client, *before));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    const std::string text(reinterpret_cast<const char*>(bytes), count);
    put_and_take(*find_client("vscode"), text);
    put_and_take(*find_client("codex"), text);
    return 0;
}
