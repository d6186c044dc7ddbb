// SPDX-License-Identifier: Apache-2.0
// The SSH entry of each running container: a TCP port of the host. For each connection sshd is
// started inside that container and is given the socket itself, so berth carries no bytes of a
// login, can read none, and a login outlives a restart of berthd.
#pragma once

#include "host/exec/agent_link.h"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace berth::ssh {

/// What is known of a container's logins: whether any is open, and when one last came or went.
struct LoginUse {
    bool open = false;
    std::optional<std::chrono::system_clock::time_point> last = {};
};

/// What the container room needs of the SSH service.
class Logins {
public:
    Logins() = default;
    Logins(const Logins&) = delete;
    Logins& operator=(const Logins&) = delete;
    virtual ~Logins() = default;
    /// Listens on `port` for logins to that container; nothing to do when it does already.
    [[nodiscard]] virtual Result<> open(std::string_view id, std::int64_t port) = 0;
    /// Stops listening. Logins that are open go on.
    virtual void close(std::string_view id) = 0;
    /// Connects to `port` as a client would, and returns when the server has named itself.
    [[nodiscard]] virtual Result<> prove(std::int64_t port) = 0;
    /// Logins that an earlier berthd has let in count as open too.
    [[nodiscard]] virtual LoginUse use(std::string_view id, std::int64_t port) = 0;
};

inline constexpr std::size_t logins_per_container_max = 128;

class LoginService final : public Logins {
public:
    [[nodiscard]] static Result<std::unique_ptr<LoginService>> start(exec::AgentLink& agents);
    ~LoginService() override;

    [[nodiscard]] Result<> open(std::string_view id, std::int64_t port) override;
    void close(std::string_view id) override;
    [[nodiscard]] Result<> prove(std::int64_t port) override;
    [[nodiscard]] LoginUse use(std::string_view id, std::int64_t port) override;

private:
    /// A listening socket, or the report socket of a login that is open.
    struct Entry {
        std::string id;
        Fd listener;
        std::unique_ptr<exec::Running> login;
    };
    LoginService(exec::AgentLink& agents, Fd events, Fd stopping)
        : agents_(agents), events_(std::move(events)), stopping_(std::move(stopping)) {}
    void serve();
    void handle(std::uint64_t key);
    void admit(const std::string& id, Fd client);
    [[nodiscard]] Result<> watch(int fd, std::uint64_t key, bool again) const;

    exec::AgentLink& agents_;
    Fd events_;
    Fd stopping_;
    std::mutex mutex_;
    std::map<std::uint64_t, std::shared_ptr<Entry>> entries_;
    /// When a login of a container that is open for logins last came or went.
    std::map<std::string, std::chrono::system_clock::time_point, std::less<>> last_uses_;
    std::uint64_t next_key_ = 1;
    std::vector<std::jthread> threads_;
};

}  // namespace berth::ssh
