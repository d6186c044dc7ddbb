// SPDX-License-Identifier: Apache-2.0
#include "host/ssh/client_config.h"
#include "host/tools/host_tools.h"
#include "host/tools/previews.h"
#include "host/tools/shapes.h"
#include "tools/tools.h"

namespace berth::tools {
namespace {

// Where `berth ssh-config sync` puts the pinned host keys.
constexpr std::string_view known_hosts_file = "~/.ssh/berth_known_hosts";

Result<SshConfig::Output> config(container::ContainerService& containers,
                                 const SshConfig::Input& in) {
    const auto host = BERTH_TRY(ssh::checked_host(in.host));
    const auto views = BERTH_TRY(one_or_all(containers, in.container));
    std::vector<ssh::Login> logins;
    std::vector<ContainerName> names;
    for (const auto& view : views) {
        logins.push_back({.container = view.row.name,
                          .id = view.row.id,
                          .port = view.row.ssh_port,
                          .host_key = view.row.host_key});
        names.push_back(ContainerName::parse(view.row.name).value());
    }
    return SshConfig::Output{.config = ssh::client_config(logins, host, known_hosts_file),
                             .known_hosts = ssh::known_hosts(logins),
                             .containers = std::move(names)};
}

}  // namespace

void bind_ssh_tools(ToolRegistry& registry, container::ContainerService& containers) {
    registry.bind<SshKeyAdd>(
        [&containers](const SshKeyAdd::Input& in, const Call&) -> Result<SshKeyAdd::Output> {
            const auto added = BERTH_TRY(containers.add_key(in.container, in.public_key));
            return SshKeyAdd::Output{.container = in.container,
                                     .fingerprint = added.fingerprint,
                                     .added = added.added,
                                     .keys = added.keys};
        },
        [&containers](const SshKeyAdd::Input& in, const Call&) { return preview(containers, in); });
    registry.bind<SshConfig>(
        [&containers](const SshConfig::Input& in, const Call&) { return config(containers, in); });
}

}  // namespace berth::tools
