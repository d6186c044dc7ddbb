// SPDX-License-Identifier: Apache-2.0
// What a tool call looks like to whoever answers it, and the one door through which all calls go.
#pragma once

#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace berth {

/// How far a long call has come.
struct Progress {
    double done = 0;
    std::optional<double> total = {};
    std::string message = {};
};

/// The circumstances of one call: who asks, until when, and how to say that it is no longer wanted.
struct Call {
    std::string caller = {};  // "uid:0", "token:ci"; for the log, and the owner of operations
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    std::stop_token cancelled = {};
    std::function<void(const Progress&)> report = {};  // empty when nobody listens
    /// A long tool that still runs after this long answers with its operation instead of its
    /// result, and goes on. Zero: at once.
    std::optional<std::chrono::milliseconds> background_after = {};
    /// What a dry run said the target's state was. When it is not that any more, the call is
    /// refused with `busy` and changes nothing. "": whatever it is.
    std::string expected_state = {};
    /// An open file that the caller passes along, by its descriptor in this process; null: none.
    /// Whoever works on after the call keeps a copy of the pointer.
    std::shared_ptr<const int> file = {};
};

/// Runs a tool by name. Implemented by the registry (in the process that does the work) and by the
/// client that carries the call to that process.
class Invoker {
public:
    Invoker() = default;
    Invoker(const Invoker&) = delete;
    Invoker& operator=(const Invoker&) = delete;
    virtual ~Invoker() = default;

    /// `arguments` is the raw JSON object from the caller; the answer is the tool's output object.
    [[nodiscard]] virtual Result<Json> invoke(std::string_view tool, const Json& arguments,
                                              const Call& call) = 0;
};

}  // namespace berth
