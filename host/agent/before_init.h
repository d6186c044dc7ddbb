// SPDX-License-Identifier: Apache-2.0
// The helper in the place of a container's init, before there is one. It leaves a process behind
// that becomes whatever program the host hands to it, waits until the host has made the container's
// world ready and lets it begin, and becomes init. The host's side is host/engine/lxc/way_in.h.
#pragma once

namespace berth::agent {

/// Becomes `init`, whose first string is its path and which a null ends. When the host goes away
/// before the container's world is ready, so does the container; after that it becomes init.
[[noreturn]] void begin(char** init);

}  // namespace berth::agent
