// SPDX-License-Identifier: Apache-2.0
#include "host/ssh/guest_files.h"

#include "base/fault.h"
#include "base/files.h"
#include "host/engine/container_engine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ranges>

namespace berth::ssh {
namespace {

/// Up to the '=', and with it.
std::string_view name_of(std::string_view variable) {
    return variable.substr(0, variable.find('=') + 1);
}

/// As sshd_config(5) wants them: all in one line, since of several lines only the first counts, and
/// each name once, since of several it depends on sshd's version which one does.
std::string set_env(const std::vector<std::string>& environment) {
    std::string line;
    for (auto variable = environment.begin(); variable != environment.end(); ++variable) {
        const bool replaced = std::any_of(
            variable + 1, environment.end(),
            [name = name_of(*variable)](const auto& later) { return later.starts_with(name); });
        if (replaced) continue;
        line += line.empty() ? "SetEnv \"" : " \"";
        for (const char letter : *variable) {
            if (letter == '"' || letter == '\\') line += '\\';
            line += letter;
        }
        line += '"';
    }
    return line;
}

std::string sshd_config(const std::vector<std::string>& environment) {
    return fmt::format(
        R"(# Written by berth. Files in /etc/ssh/sshd_config.d may add what is not settled here.
HostKey /{files}/host_key
AuthorizedKeysFile /{files}/authorized_keys .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
PrintMotd no
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
AllowAgentForwarding yes
X11Forwarding yes
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
PidFile none
{environment}
Include /etc/ssh/sshd_config.d/*.conf
)",
        fmt::arg("files", engine::guest_files), fmt::arg("environment", set_env(environment)));
}

constexpr std::string_view host_key_file = "host_key", config_file = "sshd_config",
                           environment_file = "environment";

/// None is written through to the disk: see keep_service_files().
WriteOptions owned_by(std::int64_t uid_base, mode_t mode) {
    const auto owner = static_cast<uid_t>(uid_base);
    return {.mode = mode, .owner = owner, .group = owner, .durable = false};
}

}  // namespace

std::vector<std::string> login_command() {
    return {"/usr/sbin/sshd", "-i", "-f", fmt::format("/{}/sshd_config", engine::guest_files)};
}

Result<> write_service_files(const std::filesystem::path& directory,
                             std::string_view private_host_key, std::int64_t uid_base) {
    BERTH_TRY(make_directories(directory, 0755));
    BERTH_TRY(fault::at("ssh.host_files"));
    const auto owner = static_cast<uid_t>(uid_base);
    if (::chown(directory.c_str(), owner, owner) != 0)
        return fail(system_error("give the container its SSH files", errno));
    return write_file_atomically(directory / host_key_file, private_host_key,
                                 owned_by(uid_base, 0600));
}

Result<> keep_service_files(const std::filesystem::path& directory) {
    for (const auto& path : {directory / host_key_file, directory}) {
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!file || ::fsync(file.get()) != 0)
            return fail(system_error(fmt::format("keep '{}'", path.string()), errno));
    }
    return {};
}

Result<> write_environment(const std::filesystem::path& directory,
                           const std::vector<std::string>& environment, std::int64_t uid_base) {
    std::string lines;
    for (const auto& variable : environment) lines += variable + '\n';
    return write_file_atomically(directory / environment_file, lines, owned_by(uid_base, 0644));
}

Result<> write_sshd_config(const std::filesystem::path& directory,
                           const std::vector<std::string>& environment, std::int64_t uid_base) {
    return write_file_atomically(directory / config_file, sshd_config(environment),
                                 owned_by(uid_base, 0600));
}

std::vector<std::string> read_environment(const std::filesystem::path& directory) {
    std::vector<std::string> environment;
    const auto text = read_file(directory / environment_file);
    for (const auto line : std::views::split(text.value_or(""), '\n')) {
        if (!line.empty()) environment.emplace_back(std::string_view(line));
    }
    return environment;
}

Result<> write_authorized_keys(const std::filesystem::path& directory,
                               const std::vector<std::string>& public_keys, std::int64_t uid_base) {
    BERTH_TRY(fault::at("ssh.keys"));
    std::string text;
    for (const auto& key : public_keys) text += key + '\n';
    return write_file_atomically(directory / "authorized_keys", text, owned_by(uid_base, 0644));
}

}  // namespace berth::ssh
