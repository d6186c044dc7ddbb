// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/primary_options.h"

#include "base/log.h"
#include "tunnel/announce/announcer_options.h"

#include <chrono>
#include <vector>

namespace berth::app {
namespace {

constexpr std::int64_t primary_port_max = 65535, https_port = 443;
/// A third of the longest --registration-ttl.
constexpr std::int64_t beat_seconds_max = 1200, beat_seconds = 30;

void tell_registration(const tunnel::AnnouncerNews& news) {
    if (!news.why) return log::info("registered with the sentinel");
    log::warning("not registered with the sentinel",
                 {{"why", news.why->message},
                  {"field", news.why->field},
                  {"next", news.why->hint},
                  {"again_in_ms", std::to_string(news.wait.count())}});
}

}  // namespace

std::optional<tunnel::AnnouncerOptions> read_primary(ConfigFile& file, const std::string& pool) {
    tunnel::AnnouncerOptions options;
    const auto text = [&file](const char* key) { return file.string(key).value_or(""); };
    const auto list = [&file](const char* key) {
        return file.strings(key).value_or(std::vector<std::string>{});
    };
    const std::string sentinel = text("primary.sentinel");
    options.server_name = text("primary.server_name");
    options.authorities = text("primary.ca");
    options.token_file = text("primary.token_file");
    options.certificate = {.certificate = text("primary.certificate"), .key = text("primary.key")};
    options.primary = {.pool = pool,
                       .hostname = text("primary.hostname"),
                       .aliases = list("primary.alias"),
                       .base_domains = list("primary.base_domain"),
                       .ip = text("primary.ip"),
                       .port = static_cast<std::uint16_t>(
                           file.integer("primary.port", 1, primary_port_max).value_or(https_port))};
    options.beat_every = std::chrono::seconds(
        file.integer("primary.beat", 1, beat_seconds_max).value_or(beat_seconds));
    if (file.keys("primary").empty()) return std::nullopt;
    if (const auto complete = tunnel::complete(sentinel, options); !complete) {
        const std::string key = complete.error().field.substr(1);
        if (key == "pool") {
            file.reject("primary", "needs the pool of this host: pool " + complete.error().message);
        } else {
            file.reject("primary." + key, complete.error().message);
        }
    }
    return options;
}

Result<std::unique_ptr<tunnel::Announcer>> keep_registered(
    const std::optional<tunnel::AnnouncerOptions>& options) {
    if (!options) return nullptr;
    auto announcer = tunnel::Announcer::start(*options, tell_registration);
    if (!announcer) return fail(std::move(announcer).error().in("[primary]"));
    return announcer;
}

}  // namespace berth::app
