// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/tunnel_options.h"

#include "base/descriptor_limit.h"
#include "base/log.h"
#include "tunnel/carry/dialer_options.h"

#include <algorithm>
#include <vector>

namespace berth::app {
namespace {

constexpr std::int64_t port_max = 65535;

void tell(const tunnel::DialerNews& news) {
    if (news.kind == tunnel::DialerNews::Kind::joined) {
        log::info("reached through the sentinel");
        return;
    }
    log::warning("not reached through the sentinel",
                 {{"why", news.why->message},
                  {"next", news.why->hint},
                  {"again_in_ms", std::to_string(news.wait.count())}});
}

}  // namespace

std::optional<tunnel::DialerOptions> read_tunnel(ConfigFile& file) {
    tunnel::DialerOptions options;
    const auto text = [&file](const char* key) { return file.string(key).value_or(""); };
    const auto list = [&file](const char* key) {
        return file.strings(key).value_or(std::vector<std::string>{});
    };
    const tunnel::DialerWords words{.sentinel = text("tunnel.sentinel"),
                                    .forwards = list("tunnel.forward")};
    options.server_name = text("tunnel.server_name");
    options.authorities = text("tunnel.ca");
    options.token_file = text("tunnel.token_file");
    options.certificate = {.certificate = text("tunnel.certificate"), .key = text("tunnel.key")};
    options.hello.host = text("tunnel.id");
    options.hello.hostname = text("tunnel.hostname");
    options.hello.aliases = list("tunnel.alias");
    options.hello.base_domains = list("tunnel.base_domain");
    options.hello.port =
        static_cast<std::uint16_t>(file.integer("tunnel.visitors_port", 1, port_max).value_or(0));
    if (file.keys("tunnel").empty()) return std::nullopt;
    if (const auto complete = tunnel::complete(words, options); !complete) {
        std::string key = complete.error().field.substr(1);
        std::ranges::replace(key, '-', '_');
        file.reject("tunnel." + key, complete.error().message);
    }
    return options;
}

Result<std::unique_ptr<tunnel::Dialer>> keep_tunnel(
    const std::optional<tunnel::DialerOptions>& options, const std::string& pool) {
    if (!options) return nullptr;
    (void)raise_descriptor_limit();  // one for each stream
    tunnel::DialerOptions wanted = *options;
    wanted.hello.pool = pool;
    auto dialer = tunnel::Dialer::start(std::move(wanted), tell);
    if (!dialer) return fail(std::move(dialer).error().in("[tunnel]"));
    return dialer;
}

}  // namespace berth::app
