// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/standby_options.h"

#include "host/tools/shapes.h"
#include "tools/tools.h"

#include <fmt/format.h>

#include <array>

namespace berth::app {
namespace {

// Of container_create, what has to be settled before a container starts.
constexpr std::array<std::string_view, 4> limits{"memory_bytes", "cpu_percent", "processes",
                                                 "disk_bytes"};

}  // namespace

std::vector<container::StandbyTemplate> read_standby(ConfigFile& file) {
    std::vector<container::StandbyTemplate> templates;
    std::int64_t sum = 0;
    for (std::size_t index = 0; index < file.tables("standby"); ++index) {
        const auto key = [index](std::string_view name) {
            return fmt::format("standby[{}].{}", index, name);
        };
        Json arguments{{"name", "standby"}};
        if (const auto image = file.string(key("image"))) arguments["image"] = *image;
        for (const auto limit : limits) {
            if (const auto value = file.integer(key(limit))) arguments[std::string(limit)] = *value;
        }
        const auto count = file.integer(key("count"), 1, container::standby_max);
        if (!count && !file.has(key("count")))
            file.reject(key("count"), "is missing: how many are to wait");
        sum += count.value_or(0);
        if (sum > container::standby_max)
            file.reject(key("count"),
                        fmt::format("makes more than {} of all that wait", container::standby_max));
        auto wish = [&]() -> Result<container::CreateWish> {
            return tools::wish_of(BERTH_TRY(tools::ContainerCreate::decode(arguments)));
        }();
        if (!wish) {
            const auto field = wish.error().field;
            file.reject(key(field.empty() ? "image" : field.substr(1)), wish.error().message);
            continue;
        }
        templates.push_back(
            {.wish = *std::move(wish), .count = static_cast<std::size_t>(count.value_or(0))});
    }
    return templates;
}

}  // namespace berth::app
