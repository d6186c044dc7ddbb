// SPDX-License-Identifier: Apache-2.0
#include "host/container/seeds.h"

#include "base/files.h"
#include "host/net/network.h"
#include "host/store/standby.h"

#include <fmt/format.h>

namespace berth::container {

std::string hostname_of(const store::Container& row) {
    return store::Standby::is_name(row.name) ? "standby" : row.name;
}

std::vector<engine::SeedFile> seeds(const std::string& name) {
    return {{.path = "etc/hostname", .content = name + "\n"},
            {.path = "etc/hosts",
             .content = fmt::format(
                 "127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost ip6-localhost ip6-loopback\n",
                 name)},
            {.path = "etc/resolv.conf", .content = net::resolv_conf()}};
}

std::vector<engine::SeedFile> seeds_of_copy(const std::string& name, const Origin& origin) {
    constexpr std::size_t machine_id_bytes = 16;
    std::vector<engine::SeedFile> files;
    if (origin.elsewhere)
        files.push_back({.path = "etc/resolv.conf", .content = net::resolv_conf()});
    if (name != origin.container) {
        files.push_back({.path = "etc/hostname", .content = name + "\n"});
        files.push_back({.path = "etc/hosts",
                         .content = fmt::format("127.0.1.1 {}", name),
                         .instead_of = fmt::format("127.0.1.1 {}", origin.container)});
    }
    if (origin.keeps_identity) return files;
    files.push_back(
        {.path = "etc/machine-id", .content = random_hex(machine_id_bytes) + "\n", .mode = 0444});
    files.push_back({.path = "var/lib/systemd/random-seed", .content = "", .absent = true});
    for (const auto* type : {"rsa", "dsa", "ecdsa", "ed25519"}) {
        for (const auto* ending : {"", ".pub"})
            files.push_back({.path = fmt::format("etc/ssh/ssh_host_{}_key{}", type, ending),
                             .content = "",
                             .absent = true});
    }
    return files;
}

}  // namespace berth::container
