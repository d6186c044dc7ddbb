// SPDX-License-Identifier: Apache-2.0
// Starting commands inside containers through the helper, which is put there when first needed.
#pragma once

#include "base/fd.h"
#include "host/engine/container_engine.h"
#include "host/exec/agent_protocol.h"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace berth::exec {

struct Launch {
    std::vector<std::string> argv;
    std::string user = "root";
    std::string directory = {};  // "": the user's home
    std::vector<std::string> environment = {};
    bool lasting = false;  // goes on when berthd ends
};

/// The descriptors that become a command's streams.
struct Streams {
    int input = -1;
    int output = -1;
    int errors = -1;
};

/// One command as it goes on: the socket that its reports come from, and its supervisor's pid.
class Running {
public:
    Running(Fd reports, pid_t supervisor) : reports_(std::move(reports)), supervisor_(supervisor) {}
    /// Readable when the command has ended or its supervisor is gone.
    [[nodiscard]] int reports() const { return reports_.get(); }
    /// The wait status (waitpid(2)); unavailable when the supervisor was killed from inside.
    [[nodiscard]] Result<int> exit_status() const;
    /// The host's pid of the process that everything the command started descends from.
    [[nodiscard]] pid_t supervisor() const { return supervisor_; }

private:
    Fd reports_;
    pid_t supervisor_;
};

/// For the helper to take a request, and then to fork and execute.
inline constexpr std::chrono::milliseconds start_time_max = std::chrono::seconds(10);

class AgentLink {
public:
    /// `program` is the helper's path on the host.
    [[nodiscard]] static Result<std::unique_ptr<AgentLink>> make(
        engine::ContainerEngine& engine, const std::string& program,
        std::chrono::milliseconds time_max = start_time_max);

    /// Starts a command and returns when it has been executed. invalid_argument with the field at
    /// fault for a user, directory or program that is not there; unavailable when the container
    /// cannot be entered; timed_out when its helper does not answer, and then the command does not
    /// run later either. While the container is held still, this waits.
    [[nodiscard]] Result<Running> launch(std::string_view id, const Launch& launch,
                                         const Streams& streams,
                                         const std::stop_token& cancelled = {});
    /// Waits until the container is not held still (engine::Holds); unavailable when `cancelled`.
    [[nodiscard]] Result<> await_end_of_hold(std::string_view id, const std::stop_token& cancelled);

    /// Lets go of a container's helper, which then ends. After a stop or delete.
    void forget(std::string_view id);

private:
    struct Link {
        std::mutex mutex;  // one helper is started for a container, however many ask at once
        Fd connection;
    };
    AgentLink(engine::ContainerEngine& engine, Fd program, std::chrono::milliseconds time_max)
        : engine_(engine), program_(std::move(program)), time_max_(time_max) {}
    [[nodiscard]] std::shared_ptr<Link> link(std::string_view id);
    [[nodiscard]] Result<> await_report(std::string_view id, const Fd& reports,
                                        const std::stop_token& cancelled);
    [[nodiscard]] Result<Fd> send(std::string_view id, const Fd& request, const Streams& streams);

    engine::ContainerEngine& engine_;
    Fd program_;
    std::chrono::milliseconds time_max_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Link>, std::less<>> links_;
};

}  // namespace berth::exec
