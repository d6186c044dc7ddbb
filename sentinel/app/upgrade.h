// SPDX-License-Identifier: Apache-2.0
// One process takes over from another of the same state directory: it gets the very sockets that
// clients connect to, so none of those who wait in them is lost, and the other finishes what it
// has.
#pragma once

#include "base/fd.h"
#include "sentinel/relay/listener.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace berth::sentinel {

/// How long a process may take to get ready with what it was given.
constexpr std::chrono::seconds takeover_time_max{30};

/// What one gives to the other.
struct Inheritance {
    std::vector<Listener> listeners = {};
    std::map<std::string, Fd> others = {};  // "control", "admin": listening sockets too
    Fd line = {};                           // to the predecessor, until it was told
};

/// Asks the process that serves the state directory to give way; nothing when there is none.
[[nodiscard]] Result<std::optional<Inheritance>> ask_predecessor(
    const std::filesystem::path& state_dir);
/// The new process has everything: the old one accepts no more clients when this returns.
[[nodiscard]] Result<> relieve(Inheritance& inheritance);

/// Where a successor asks.
class UpgradeDoor {
public:
    [[nodiscard]] static Result<UpgradeDoor> open(const std::filesystem::path& state_dir);
    /// Readable when somebody asks.
    [[nodiscard]] int descriptor() const { return socket_.get(); }
    /// Gives copies of these sockets to who asks, if it is of our user. The line to it, when it
    /// became ready; nothing when it did not, and then everything goes on as before.
    [[nodiscard]] std::optional<Fd> hand_over(const Inheritance& ours) const;

private:
    explicit UpgradeDoor(Fd socket) : socket_(std::move(socket)) {}
    Fd socket_;
};

/// Tells a successor that it is alone now.
void confirm(const Fd& line);

}  // namespace berth::sentinel
