// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a file of routes. What is read without a complaint makes a table in which each of
// its names has a route, unless one is there twice.
#include "sentinel/route/routes_file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::sentinel;
    const auto* text = reinterpret_cast<const char*>(bytes);
    const auto file = RoutesFile::parse(std::string(text, count), {});
    if (!file) return file.error().message.starts_with("line ") ? 0 : (std::abort(), 1);
    RouteTable table;
    if (!table.replace(file->list())) return 0;
    RouteReader reader(table);
    const RouteReader::Look look(reader);
    for (const auto& route : file->list().routes) {
        const std::string below = route.key.starts_with('.') ? "below" : "";
        if (look.find(below + std::string(route.key)) == nullptr) std::abort();
    }
    return 0;
}
