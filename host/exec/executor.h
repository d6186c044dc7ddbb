// SPDX-License-Identifier: Apache-2.0
// Runs one command in a container to its end: input, bounded output, time limit, exit status.
#pragma once

#include "host/exec/agent_link.h"
#include "host/exec/kept_outputs.h"
#include "host/exec/output_buffer.h"

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

namespace berth::exec {

struct Request {
    Launch launch;
    std::string input = {};
    std::chrono::milliseconds timeout = std::chrono::seconds(60);
    std::size_t output_bytes_max = 16384;  // of each stream; all of a longer one is kept
};

struct Outcome {
    std::optional<int> exit_code;       // absent when a signal ended it
    std::optional<std::string> signal;  // "SIGKILL"
    bool timed_out = false;
    std::chrono::milliseconds duration{};
    Output output;
    Output errors;
};

class Executor {
public:
    Executor(AgentLink& agents, KeptOutputs outputs)
        : agents_(agents), outputs_(std::move(outputs)) {}

    /// Returns when the command itself has ended; what it left running in the background goes on.
    /// On the time limit, or when `cancelled`, the command and all it started are killed.
    [[nodiscard]] Result<Outcome> run(std::string_view id, const Request& request,
                                      const std::stop_token& cancelled = {});

    [[nodiscard]] const KeptOutputs& outputs() const { return outputs_; }

private:
    AgentLink& agents_;
    KeptOutputs outputs_;
};

}  // namespace berth::exec
