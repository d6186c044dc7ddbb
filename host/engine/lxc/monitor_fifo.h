// SPDX-License-Identifier: Apache-2.0
// How the inits of containers have ended, as liblxc's monitors tell it. Each is the parent of an
// init, and the kernel tells its parent alone when reboot(2) inside has ended it. Monitors write it
// to a FIFO, as for lxc-monitor(1), while somebody reads that.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace berth::engine {

class MonitorFifo {
public:
    /// Reads what the monitors of containers below `lxc_path` write from now on. What is written
    /// has to be read, or they wait with what they do.
    [[nodiscard]] static Result<std::unique_ptr<MonitorFifo>> listen(
        const std::filesystem::path& lxc_path);
    MonitorFifo(const MonitorFifo&) = delete;
    MonitorFifo& operator=(const MonitorFifo&) = delete;
    ~MonitorFifo();

    /// The wait status (waitpid(2)) of the first init of that container that has ended since
    /// forget(); nothing as long as its monitor has not told.
    [[nodiscard]] std::optional<int> first_of(std::string_view id);
    /// Before a start, when no monitor of it is left.
    void forget(std::string_view id);

    /// Where liblxc looks for that FIFO: a directory of its own, whose other content is not ours.
    [[nodiscard]] static std::filesystem::path directory(const std::filesystem::path& lxc_path);
    /// Removes the FIFO and, as far as they are empty, the directories it is in.
    static void remove(const std::filesystem::path& lxc_path);

private:
    MonitorFifo(Fd fifo, Fd stopped);
    void run();
    void read_all();

    Fd fifo_;
    Fd stopped_;
    std::mutex mutex_;
    std::map<std::string, int, std::less<>> statuses_;  // by id
    std::jthread thread_;
};

}  // namespace berth::engine
