// SPDX-License-Identifier: Apache-2.0
#include "tunnel/carry/dialer_options.h"

#include "tunnel/carry/host_port.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace berth::tunnel {
namespace {

constexpr std::size_t host_name_bytes_max = 256;
constexpr std::uint16_t https_port = 443;

std::unexpected<Error> wrong(std::string_view option, std::string what) {
    return fail(make_error(ErrorCode::invalid_argument, std::move(what)).at(option));
}

std::string name_of_machine() {
    std::array<char, host_name_bytes_max> name{};
    (void)::gethostname(name.data(), name.size() - 1);
    return name.data();
}

Result<> take_sentinel(const std::string& text, DialerOptions& options) {
    const auto place = parse_host_port(text, https_port);
    if (!place) return wrong("/sentinel", text.empty() ? "HOST:PORT is needed" : "is HOST:PORT");
    options.host = place->host;
    options.port = place->port;
    return {};
}

Result<> take_forwards(const std::vector<std::string>& forwards, DialerOptions& options) {
    for (const auto& text : forwards) {
        const auto equals = std::min(text.find('='), text.size());
        const auto port = parse_port(std::string_view(text).substr(0, equals));
        const auto target = SocketAddress::parse(text.substr(std::min(equals + 1, text.size())));
        if (!port || !target) {
            return wrong("/forward", fmt::format("{} is not PORT=ADDRESS:PORT", text));
        }
        if (!options.targets.emplace(*port, *target).second) {
            return wrong("/forward", fmt::format("has port {} twice", *port));
        }
    }
    if (options.targets.empty()) return wrong("/forward", "PORT=ADDRESS:PORT is needed");
    if (options.targets.size() > ports_max) {
        return wrong("/forward", fmt::format("is given more than {} times", ports_max));
    }
    return {};
}

}  // namespace

Result<> complete(const DialerWords& words, DialerOptions& options) {
    BERTH_TRY(take_sentinel(words.sentinel, options));
    BERTH_TRY(take_forwards(words.forwards, options));
    Hello& hello = options.hello;
    if (options.token_file.empty() && options.certificate.certificate.empty()) {
        return wrong("/token-file", "or a certificate is needed");
    }
    if (options.certificate.certificate.empty() != options.certificate.key.empty()) {
        return wrong("/key", "and the certificate go together");
    }
    if (hello.hostname.empty() && !(hello.aliases.empty() && hello.base_domains.empty())) {
        return wrong("/hostname", "is needed for other names");
    }
    if (hello.host.empty()) hello.host = name_of_machine();
    if (hello.port == 0) {
        hello.port =
            options.targets.contains(https_port) ? https_port : options.targets.begin()->first;
    }
    if (!options.targets.contains(hello.port)) {
        return wrong("/visitors-port", "is no port that is forwarded");
    }
    // Of two with one id, the one that was started later counts.
    hello.generation =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count());
    return {};
}

}  // namespace berth::tunnel
