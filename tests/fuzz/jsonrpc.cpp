// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the JSON codec and the JSON-RPC message parser. Whatever they accept, they must be
// able to write and to read again.
#include "mcp-server/jsonrpc/message.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    if (const auto value = parse_json(text)) {
        if (!parse_json(to_text(*value))) std::abort();
    }
    const auto payload = jsonrpc::parse(text);
    if (!payload) return 0;
    for (const auto& message : payload->messages) {
        const auto answer = message
                                ? jsonrpc::error_text(std::nullopt, {.message = "ok"})
                                : jsonrpc::error_text(message.error().id, message.error().error);
        if (!jsonrpc::parse(answer)) std::abort();
    }
    return 0;
}
