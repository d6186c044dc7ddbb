// SPDX-License-Identifier: Apache-2.0
// A small process with one thread, in which liblxc starts containers and enters them.
//
// liblxc forks, and berthd must not: while a process of many threads is copied, every other thread
// that allocates or touches fresh memory waits, 100 ms and more when fifty creates do so at once.
// liblxc also moves whoever starts a container into the monitor's control group, and there berthd
// would be counted, held and killed with the container.
#pragma once

#include "base/fd.h"
#include "host/engine/lxc/lxc_config.h"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace berth::engine {

class Launcher {
public:
    /// Forks, so it is best called while there is no other thread. The process ends when this
    /// object or the caller's process does. Of the caller's descriptors it keeps the standard
    /// streams and `kept`, and so does what it forks until it is a container's monitor.
    [[nodiscard]] static Result<std::unique_ptr<Launcher>> make(std::string lxc_path,
                                                                std::optional<int> kept = {});
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;
    ~Launcher();

    /// Starts a container and returns when its init runs. unsupported names a key that this liblxc
    /// does not know; unavailable when it did not start, and its log says why.
    [[nodiscard]] Result<> start(std::string_view id, const LxcConfig& config);
    /// Executes `program` inside, as root, with `connection` as its descriptor 3 and init as its
    /// parent. Errors as start().
    [[nodiscard]] Result<> enter(std::string_view id, const LxcConfig& config, const Fd& program,
                                 const Fd& connection);

    /// Called, on the thread of a start() or an enter(), whenever the process had ended and another
    /// one has taken its place. Set before the first of those.
    void on_restart(std::function<void()> told) { told_ = std::move(told); }

private:
    Launcher(std::string lxc_path, std::optional<int> kept)
        : lxc_path_(std::move(lxc_path)), kept_(kept) {}
    /// Starts the process if there is none, or it has ended.
    [[nodiscard]] Result<> launch();
    void end() noexcept;
    [[nodiscard]] bool send(std::string_view request, std::span<const int> descriptors);
    [[nodiscard]] Result<> ask(std::string request, std::initializer_list<int> descriptors);

    std::string lxc_path_;
    std::optional<int> kept_;
    std::mutex mutex_;  // of what follows
    Fd line_;
    pid_t process_ = -1;
    std::function<void()> told_;
};

}  // namespace berth::engine
