// SPDX-License-Identifier: Apache-2.0
// lxcfs(8), which makes the files of /proc that show a container's own limits: found running or
// started, watched, and started again when it ends. It outlives berthd, because containers go on
// reading what it shows.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

namespace berth::view {

struct LxcfsOptions {
    std::filesystem::path program;    // "/usr/bin/lxcfs"
    std::filesystem::path directory;  // where it is mounted, a directory of its own
};

class Lxcfs {
public:
    /// Called with the directory when it is there, and with "" and the reason when it is not.
    using Changed = std::function<void(const std::filesystem::path& directory, const Error* why)>;

    /// Called when one has ended by itself, and when one has not for a minute.
    using Fate = std::function<void(bool ended)>;

    /// Calls `changed` soon, and then at every change, from a thread of its own.
    [[nodiscard]] static std::unique_ptr<Lxcfs> start(LxcfsOptions options, Changed changed,
                                                      Fate fate);
    Lxcfs(const Lxcfs&) = delete;
    Lxcfs& operator=(const Lxcfs&) = delete;
    /// Stops watching; it goes on.
    ~Lxcfs();

    /// Ends one that serves that directory, and unmounts it. Can be repeated.
    static void end(const std::filesystem::path& directory);

private:
    Lxcfs(LxcfsOptions options, Changed changed, Fate fate, Fd wake)
        : options_(std::move(options)),
          changed_(std::move(changed)),
          fate_(std::move(fate)),
          wake_(std::move(wake)) {}
    [[nodiscard]] Result<Fd> find_or_start() const;
    /// Finds or starts one, and tells of it.
    void begin();
    void watch(const std::stop_token& stopping);
    /// False when it is time to end before that has passed, or `ended` has.
    [[nodiscard]] bool wait(const Fd& ended, std::chrono::milliseconds time_max) const;

    LxcfsOptions options_;
    Changed changed_;
    Fate fate_;
    Fd wake_;
    Fd process_;            // a pidfd; none while there is none
    bool missing_ = false;  // and that was told
    std::jthread thread_;
};

}  // namespace berth::view
