// SPDX-License-Identifier: Apache-2.0
// The network that containers hang on: what the container room needs of it, and how this host gives
// it.
#pragma once

#include "host/net/address_plan.h"
#include "host/net/firewall.h"

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace berth::net {

class Network {
public:
    Network() = default;
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    virtual ~Network() = default;

    /// Makes the forwards exactly these, and the rules around them what they should be; true when
    /// somebody else was found to have changed them.
    [[nodiscard]] virtual Result<bool> apply(const std::vector<Forward>& forwards) = 0;
    /// busy when a service of the host itself uses that port.
    [[nodiscard]] virtual Result<> check_free(const std::string& protocol,
                                              std::int64_t host_port) = 0;
    /// The address is nobody's any more. What could not be forgotten does no harm: an address has
    /// the same MAC address whoever gets it next.
    virtual void release(const std::string& /*ipv4*/) {}
};

struct NetworkOptions {
    std::string bridge;
    Subnet subnet;
    std::filesystem::path state_dir;  // where changed kernel settings are remembered
};

class HostNetwork final : public Network {
public:
    explicit HostNetwork(NetworkOptions options) : options_(std::move(options)) {}

    /// Bridge, settings, and a table without forwards. Repeating it changes nothing that is right.
    /// already_exists when another interface of the machine uses an overlapping network.
    [[nodiscard]] Result<> bring_up();
    /// Removes all of that.
    [[nodiscard]] Result<> tear_down();

    /// The first time by the whole table, whatever was there; from then on by what has changed,
    /// and by the whole table again when the kernel's is found to be another than we left. It is
    /// looked at when nothing has changed.
    [[nodiscard]] Result<bool> apply(const std::vector<Forward>& forwards) override;
    [[nodiscard]] Result<> check_free(const std::string& protocol, std::int64_t host_port) override;
    void release(const std::string& ipv4) override;

private:
    /// The whole table.
    [[nodiscard]] Result<> write(const std::vector<Forward>& forwards);
    /// Whether the kernel's table is what this process has last put there.
    [[nodiscard]] Result<bool> as_left() const;
    [[nodiscard]] std::filesystem::path sysctl_memory() const {
        return options_.state_dir / "sysctls.json";
    }
    NetworkOptions options_;
    std::mutex mutex_;
    std::optional<std::vector<Forward>> applied_;  // what this process has last put in the table
    std::string rules_;                            // and how the kernel told its rules then
};

/// The name servers of this host that a container can reach, as the content of its resolv.conf. A
/// resolver on the host's own loopback cannot be reached; then systemd-resolved's upstream servers.
[[nodiscard]] std::string resolv_conf();

}  // namespace berth::net
