// SPDX-License-Identifier: Apache-2.0
// The little HTTP that is spoken with a container: one request, one answer. Bytes in, values out;
// whoever writes them is root in a container and may mean harm, so nothing else is understood.
#pragma once

#include "tools-schema/contract/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::guest {

inline constexpr std::size_t request_bytes_max = 4096;

enum class Asked : std::uint8_t {
    need_more,
    about,         // GET /1.0
    index,         // GET /
    nothing_here,  // another path
    not_allowed,   // another method
    not_http,
    too_long,
};

/// What the first request in these bytes asks for. Headers are skipped and a body is not read.
[[nodiscard]] Asked read_request(std::string_view bytes);

/// A whole answer, after which the connection is closed.
[[nodiscard]] std::string http_answer(int status, std::string_view json);

/// What a request is told that asks for nothing there is; `need_more` and `about` are none.
[[nodiscard]] std::string refusal(Asked asked);
/// The same when what was asked for could not be found out.
[[nodiscard]] std::string failure(const Error& error);

}  // namespace berth::guest
