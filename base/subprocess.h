// SPDX-License-Identifier: Apache-2.0
// Runs one program of the host to its end. No shell; the environment is only what is given; the
// child inherits no descriptor but its three streams.
#pragma once

#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace berth {

struct SubprocessSpec {
    std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no slash
    std::string input = {};
    std::vector<std::string> environment = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"};
    std::chrono::milliseconds timeout = std::chrono::seconds(30);
    std::size_t output_bytes_max = 1024 * 1024;  // of each stream; more is counted as a failure
    bool inherit_output = false;  // let the child write to our own standard error instead
};

struct SubprocessResult {
    int exit_code = 0;  // 128 + signal when a signal ended it
    std::string output;
    std::string errors;
};

/// not_found when the program does not exist, timed_out after killing its process group,
/// quota_exceeded when it writes more than allowed. A non-zero exit code is a result, not an error.
[[nodiscard]] Result<SubprocessResult> run_subprocess(const SubprocessSpec& spec);

/// As run_subprocess, and a non-zero exit code is `unavailable` with the end of what it complained.
[[nodiscard]] Result<std::string> run_checked(const SubprocessSpec& spec);

}  // namespace berth
