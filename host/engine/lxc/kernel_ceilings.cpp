// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/kernel_ceilings.h"

#include "base/files.h"
#include "base/log.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string>

namespace berth::engine {
namespace {

struct Ceiling {
    const char* path;
    std::int64_t needed;
};

/// systemd in a container holds about eight instances and a hundred watches.
constexpr std::array ceilings = {
    Ceiling{"fs/inotify/max_user_instances", 65'536},
    Ceiling{"fs/inotify/max_user_watches", 1'048'576},
    Ceiling{"kernel/keys/maxkeys", 2'000},
    Ceiling{"kernel/keys/maxbytes", 2'000'000},
};

}  // namespace

void raise_kernel_ceilings(const std::filesystem::path& proc_sys) {
    for (const auto& [path, needed] : ceilings) {
        const auto text = read_file(proc_sys / path);
        std::int64_t value = 0;
        if (!text ||
            std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) {
            log::warning("a kernel setting cannot be read", {{"setting", path}});
            continue;
        }
        if (value >= needed) continue;
        if (const auto raised = write_kernel_file(proc_sys / path, std::to_string(needed));
            !raised) {
            log::warning("a kernel setting stays lower than many containers need",
                         {{"setting", path}, {"why", raised.error().message}});
            continue;
        }
        log::info(
            "raised a kernel setting",
            {{"setting", path}, {"from", std::to_string(value)}, {"to", std::to_string(needed)}});
    }
}

}  // namespace berth::engine
