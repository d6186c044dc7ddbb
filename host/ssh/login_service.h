// SPDX-License-Identifier: Apache-2.0
// The SSH entry of each running container: a TCP port of the host. For each connection sshd is
// started inside that container and is given the socket itself, so berth carries no bytes of a
// login, can read none, and a login outlives a restart of berthd.
#pragma once

#include "host/exec/agent_link.h"

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
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

/// Starts the container that somebody wants to log in to. It may take its time.
using Wake = std::function<Result<>(const std::stop_token& cancelled)>;

/// What the container room needs of the SSH service.
class Logins {
public:
    Logins() = default;
    Logins(const Logins&) = delete;
    Logins& operator=(const Logins&) = delete;
    virtual ~Logins() = default;
    /// Listens on `port` for logins to that container; nothing to do when it does already.
    [[nodiscard]] virtual Result<> open(std::string_view id, std::int64_t port) = 0;
    /// Listens on `port` for a container that is stopped. Whoever connects waits while `wake` is
    /// called, once for all of them, and is let in when that has opened the container for logins.
    [[nodiscard]] virtual Result<> await(std::string_view id, std::int64_t port, Wake wake) = 0;
    /// Stops listening. Logins that are open go on.
    virtual void close(std::string_view id) = 0;
    /// Connects to `port` as a client would, and returns when the server has named itself.
    [[nodiscard]] virtual Result<> prove(std::int64_t port) = 0;
    /// Logins that an earlier berthd has let in count as open too.
    [[nodiscard]] virtual LoginUse use(std::string_view id, std::int64_t port) = 0;
};

inline constexpr std::size_t logins_per_container_max = 128;  // that are open; as many may wait

class LoginService final : public Logins {
public:
    [[nodiscard]] static Result<std::unique_ptr<LoginService>> start(exec::AgentLink& agents);
    ~LoginService() override;

    /// Lets nobody in any more, and wakes nothing; for the end, and can be repeated.
    void stop();
    [[nodiscard]] Result<> open(std::string_view id, std::int64_t port) override;
    [[nodiscard]] Result<> await(std::string_view id, std::int64_t port, Wake wake) override;
    void close(std::string_view id) override;
    [[nodiscard]] Result<> prove(std::int64_t port) override;
    [[nodiscard]] LoginUse use(std::string_view id, std::int64_t port) override;

private:
    /// A listening socket, or the report socket of a login that is open.
    struct Entry {
        std::string id;
        Fd listener;
        std::unique_ptr<exec::Running> login;
        // Of a container that is stopped:
        Wake wake = {};
        std::deque<Fd> asleep = {};  // those who wait until it is woken
        bool waking = false;
        // Of one that runs, also while those who wait above do not know yet:
        std::deque<Fd> waiting = {};
        bool served = false;  // a thread lets in those who wait
    };
    LoginService(exec::AgentLink& agents, Fd events, Fd stopping)
        : agents_(agents), events_(std::move(events)), stopping_(std::move(stopping)) {}
    void serve();
    void handle(std::uint64_t key);
    void keep_waiting(const std::shared_ptr<Entry>& entry, Fd client);
    /// On a thread of that container's own: root inside can have a login wait as long as one may,
    /// and then that of no other container does. Call with the mutex held.
    void begin_admission(const std::shared_ptr<Entry>& entry);
    /// One after the other, so that it is one thread however many wait.
    void admit_waiting(Entry& entry, const std::stop_token& stopping);
    [[nodiscard]] bool admit(const std::string& id, const Fd& client,
                             const std::stop_token& stopping);
    void wake_asked_for(const std::stop_token& stopping);
    [[nodiscard]] Result<> watch(int fd, std::uint64_t key, bool again) const;

    exec::AgentLink& agents_;
    Fd events_;
    Fd stopping_;
    std::mutex mutex_;
    std::map<std::uint64_t, std::shared_ptr<Entry>> entries_;
    /// When a login of a container that is open for logins last came or went.
    std::map<std::string, std::chrono::system_clock::time_point, std::less<>> last_uses_;
    std::uint64_t next_key_ = 1;
    std::deque<std::shared_ptr<Entry>> to_wake_;
    std::condition_variable_any to_wake_filled_;
    std::vector<std::jthread> threads_;
    std::stop_source over_;
    std::vector<std::future<void>> admissions_;  // of containers to which somebody logs in just now
};

}  // namespace berth::ssh
