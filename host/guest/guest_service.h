// SPDX-License-Identifier: Apache-2.0
// Each running container's own socket, seen inside as /dev/berth/sock: berthd answers there what a
// container may know of itself, and of nobody else. One ordinary thread serves all of them, a
// container waits when it asks too often, and every connection has bounds and a deadline.
#pragma once

#include "base/clock.h"
#include "base/fd.h"
#include "host/guest/guest_http.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace berth::guest {

/// The socket's name in the directory that a container sees.
inline constexpr std::string_view socket_name = "sock";

/// For each container; one that wants more waits in the socket's queue.
struct GuestLimits {
    std::size_t connections_max = 8;
    double requests_per_second = 20;
    double burst = 40;
    std::chrono::milliseconds time_max{5'000};  // for a request to come and its answer to go
};

/// What the container room needs of these sockets.
class Guests {
public:
    Guests() = default;
    Guests(const Guests&) = delete;
    Guests& operator=(const Guests&) = delete;
    virtual ~Guests() = default;
    /// Answers that container in `directory`, in place of whatever socket an earlier berthd left
    /// there.
    [[nodiscard]] virtual Result<> open(std::string_view id,
                                        const std::filesystem::path& directory) = 0;
    /// Ends that, and takes the socket away. Can be repeated.
    virtual void close(std::string_view id, const std::filesystem::path& directory) = 0;
};

class GuestService final : public Guests {
public:
    /// What a container is told of itself.
    using Tell = std::function<Result<Json>(const std::string& id)>;

    [[nodiscard]] static Result<std::unique_ptr<GuestService>> start(const Clock& clock,
                                                                     GuestLimits limits = {});
    ~GuestService() override;
    /// Answers nobody any more; can be repeated.
    void stop();

    /// To be said once, before the first open(). What is told is asked for on this service's
    /// thread.
    void answer_with(Tell tell) { tell_ = std::move(tell); }

    [[nodiscard]] Result<> open(std::string_view id,
                                const std::filesystem::path& directory) override;
    void close(std::string_view id, const std::filesystem::path& directory) override;

private:
    using Steady = std::chrono::steady_clock::time_point;
    struct Listener {
        std::string id;
        Fd socket;
        std::size_t connections = 0;
        double tokens = 0;
        Steady counted = {};
        Steady rests_until = {};
        bool listening = true;  // whether the event queue tells of it
    };
    struct Connection {
        std::uint64_t listener = 0;
        Fd socket;
        Steady deadline = {};
        std::string in = {};
        std::string out = {};  // once it is known what to say
    };
    GuestService(const Clock& clock, GuestLimits limits, Fd events, Fd wake)
        : clock_(clock), limits_(limits), events_(std::move(events)), wake_(std::move(wake)) {}

    void serve();
    [[nodiscard]] int wait_ms();
    void handle(std::uint64_t key);
    void admit(std::uint64_t key, Listener& listener);
    void read(std::uint64_t key, Connection& connection);
    void write(std::uint64_t key, Connection& connection);
    void end(std::uint64_t key);
    void tend();
    void refill(Listener& listener) const;
    [[nodiscard]] bool may_admit(const Listener& listener) const;
    [[nodiscard]] bool watch(int fd, std::uint64_t key, std::uint32_t what, int how) const;

    const Clock& clock_;
    const GuestLimits limits_;
    Tell tell_;
    Fd events_;
    Fd wake_;
    std::mutex mutex_;  // of what follows
    std::map<std::uint64_t, Listener> listeners_;
    std::map<std::uint64_t, Connection> connections_;
    std::uint64_t next_key_ = 1;
    std::optional<std::pair<std::uint64_t, std::string>> to_tell_;  // a connection, and whose
    bool over_ = false;
    std::jthread thread_;
};

}  // namespace berth::guest
