// SPDX-License-Identifier: Apache-2.0
// What a child of the launcher does: one call of liblxc that forks.
#pragma once

#include "base/packets.h"

#include <string>

namespace berth::engine {

/// The first byte of a request. After it come, each ended by a NUL, the container's id and the keys
/// and values of its configuration; with it the descriptor to answer on, and for `enter` the
/// program and its connection.
enum class Wish : char { start = 's', enter = 'e' };

/// The first byte of an answer; after `unknown_key` comes the line that liblxc refused.
enum class Outcome : char { done = '+', failed = '-', unknown_key = '?' };

/// Does what the request asks for, and answers it. Moves the caller into the control group of the
/// container's monitor.
void fulfil(const std::string& lxc_path, Packet request);

}  // namespace berth::engine
