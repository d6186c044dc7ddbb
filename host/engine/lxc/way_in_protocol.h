// SPDX-License-Identifier: Apache-2.0
// What the engine and the helper that begins a container agree upon; see way_in.h. The helper
// connects to the socket, and gets a packet of a byte when the container's world is ready; when the
// connection ends after that, it becomes init. The process that it leaves behind connects, too, and
// sends a byte: 0, or the errno for which there can be no init. It gets one with two descriptors, a
// program and that program's connection.
#pragma once

namespace berth::engine {

/// What the helper becomes.
inline constexpr char init_program[] = "/sbin/init";
/// Seen in the container until the helper has begun.
inline constexpr char way_in_directory[] = "/run/berth-way-in";
inline constexpr char way_in_program[] = "/run/berth-way-in/agent";
inline constexpr char way_in_socket[] = "/run/berth-way-in/socket";
inline constexpr int way_in_descriptors = 2;
/// Where the program finds its connection.
inline constexpr int way_in_connection_fd = 3;

}  // namespace berth::engine
