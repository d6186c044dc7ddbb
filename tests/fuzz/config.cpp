// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the reader of configuration files.
#include "mcp-server/config/config.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    auto file = berth::ConfigFile::parse(
        std::string_view(reinterpret_cast<const char*>(bytes), count), "fuzz.toml");
    if (!file) return 0;
    (void)file->string("socket");
    (void)file->string("table.key");
    (void)file->integer("uid_base", 1, 100);
    (void)file->boolean("flag");
    (void)file->strings("allowed_hosts");
    for (const auto& key : file->keys("tools")) (void)file->string("tools." + key);
    const std::size_t tables = file->tables("rules");
    for (std::size_t at = 0; at < tables; ++at) {
        const std::string place = "rules[" + std::to_string(at) + "].name";
        if (!file->string(place)) file->reject(place, "is missing");
    }
    (void)file->finish();
    return 0;
}
