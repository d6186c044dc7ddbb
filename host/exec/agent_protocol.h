// SPDX-License-Identifier: Apache-2.0
// What berthd and its helper inside a container say to each other. Both are built from this file;
// the helper starts anew with every berthd, so the format has no versions.
//
// berthd sends one byte with five descriptors (SCM_RIGHTS): the request (a memfd), the command's
// stdin, stdout and stderr, and a socket for the reports of this command alone. On that socket come
// Report packets: at first `started` or `failed`, at last `exited`. When it closes without a last
// report, the helper was killed. Once berthd has closed its end, the command is not executed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace berth::exec {

inline constexpr int agent_connection_fd = 3;
inline constexpr int request_descriptors = 5;
/// The kernel itself takes no more than this for argv and environment together.
inline constexpr std::size_t request_bytes_max = 2 * 1024 * 1024;

/// The request begins with this; then `strings` NUL-terminated strings follow: user, working
/// directory ("" for the user's home), the arguments, and the environment.
struct RequestHeader {
    std::uint32_t strings;
    std::uint32_t arguments;
    std::uint32_t lasting;  // 1: goes on when berthd ends (a login); 0: ends with it
};

enum class ReportKind : std::uint32_t { started = 1, failed = 2, exited = 3 };

/// Where a command failed to start.
enum class Stage : std::uint32_t {
    request = 1,
    user = 2,
    directory = 3,
    identity = 4,
    program = 5,
    process = 6
};

struct Report {
    ReportKind kind;
    Stage stage;         // of `failed`
    std::int32_t value;  // `failed`: errno; `exited`: the status as waitpid(2) gives it
};

}  // namespace berth::exec
