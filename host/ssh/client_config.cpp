// SPDX-License-Identifier: Apache-2.0
#include "host/ssh/client_config.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::ssh {
namespace {

constexpr std::size_t host_characters_max = 253;  // of a DNS name, RFC 1035 section 2.3.4

bool may_stand_in_host(char character) {
    const bool letter =
        (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
    const bool digit = character >= '0' && character <= '9';
    return letter || digit || character == '.' || character == '-' || character == ':';
}

std::string alias(const Login& login) {
    return "berth-" + login.id;
}

}  // namespace

Result<std::string> checked_host(std::string_view text) {
    if (text.empty() || text.size() > host_characters_max || text.front() == '-' ||
        !std::ranges::all_of(text, may_stand_in_host)) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("a host is a name or an IP address: letters, digits, "
                                           "'.', '-' and ':', at most {} characters, not starting "
                                           "with '-'",
                                           host_characters_max))
                        .at("/host"));
    }
    return std::string(text);
}

std::string client_config(const std::vector<Login>& logins, std::string_view host,
                          std::string_view known_hosts_file) {
    std::string out;
    for (const Login& login : logins) {
        out += fmt::format(
            "Host {}\n"
            "    HostName {}\n"
            "    Port {}\n"
            "    User root\n"
            "    HostKeyAlias {}\n"
            "    UserKnownHostsFile \"{}\"\n"
            "    StrictHostKeyChecking yes\n"
            "    KexAlgorithms ^curve25519-sha256\n",
            login.container, host, login.port, alias(login), known_hosts_file);
    }
    return out;
}

std::string known_hosts(const std::vector<Login>& logins) {
    std::string out;
    for (const Login& login : logins) out += alias(login) + " " + login.host_key + "\n";
    return out;
}

}  // namespace berth::ssh
