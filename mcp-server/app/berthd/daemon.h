// SPDX-License-Identifier: Apache-2.0
// berthd put together: every room made once and handed down, served until a signal ends it.
#pragma once

#include "mcp-server/app/berthd/options.h"

namespace berth::app {

/// Serves until SIGTERM or SIGINT. Containers go on running, unless the options say otherwise.
[[nodiscard]] Result<> serve(const DaemonOptions& options);

/// Builds an image by name; "debian-12" is the one that can be built.
[[nodiscard]] Result<> build_image(const DaemonOptions& options, const std::string& name,
                                   bool force);

/// Stops every container within the time that the options give, for a host that goes down; those
/// that were running come back with the next berthd. busy while one serves.
[[nodiscard]] Result<> shutdown_containers(const DaemonOptions& options);

/// Prints the store as SQL, without what is secret in it; see store::dump(). Changes nothing.
[[nodiscard]] Result<> dump(const DaemonOptions& options);

/// Ends and removes every container of the state directory, and what berthd made on the machine
/// around them. busy while a berthd serves that state directory.
[[nodiscard]] Result<> teardown(const DaemonOptions& options);

}  // namespace berth::app
