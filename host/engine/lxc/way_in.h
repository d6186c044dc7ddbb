// SPDX-License-Identifier: Apache-2.0
// How a container begins: with berth's helper in the place of init. It waits, so that whatever init
// starts finds the network, the limits and the devices as they are to be, and until it is told to
// begin; then it becomes init. It leaves a process behind that becomes the first program that the
// host hands to it. Entering from outside takes 5 to 20 ms and more: liblxc forks twice and joins a
// dozen control groups, while the container boots on the same processors.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace berth::engine {

class WayIn {
public:
    /// Puts a copy of `helper` (berth-agent) into `place`, which every container can be shown.
    /// Where the disk's files may not be executed, containers are shown `helper` itself.
    [[nodiscard]] static Result<WayIn> make(const std::filesystem::path& place,
                                            std::filesystem::path helper);
    WayIn(WayIn&& other) noexcept : program_(std::move(other.program_)) {}
    WayIn(const WayIn&) = delete;
    WayIn& operator=(const WayIn&) = delete;
    WayIn& operator=(WayIn&&) = delete;
    ~WayIn() = default;

    /// What a container sees at way_in_program.
    [[nodiscard]] const std::filesystem::path& helper() const { return program_; }

    /// Before a start: makes and returns a directory below `directory` for the container to see at
    /// way_in_directory. `uid_base` is its root.
    [[nodiscard]] Result<std::filesystem::path> prepare(std::string_view id,
                                                        const std::filesystem::path& directory,
                                                        std::int64_t uid_base);
    /// After the start: returns once the helper waits inside, with the process that it leaves
    /// behind. `ended` is readable when the container has ended (a pidfd). unavailable when it has,
    /// or has nothing to become.
    [[nodiscard]] Result<pid_t> meet(std::string_view id, const Fd& ended);
    /// Init may begin now; it does when this program ends. False when the container has ended.
    [[nodiscard]] bool tell_ready(std::string_view id);
    /// Init begins; not before tell_ready(), so that who still means the start before does no harm.
    void begin(std::string_view id);
    /// Once for each start: executes `program` inside, as init's own child, with `connection` as
    /// its descriptor 3. False when nobody waits for it there.
    [[nodiscard]] bool hand(std::string_view id, const Fd& program, const Fd& connection);
    /// After an end.
    void forget(std::string_view id);

private:
    explicit WayIn(std::filesystem::path program) : program_(std::move(program)) {}
    struct Sockets {
        Fd listener = {};
        std::filesystem::path place = {};  // of the listener
        Fd init = {};                      // the connection with the helper in init's place
        Fd left = {};                      // and with the process that it leaves behind
        bool ready = false;                // init may begin
    };
    [[nodiscard]] Fd take(std::string_view id, Fd Sockets::* which);

    std::filesystem::path program_;
    std::mutex mutex_;
    std::map<std::string, Sockets, std::less<>> sockets_;
};

}  // namespace berth::engine
