// SPDX-License-Identifier: Apache-2.0
// The files that a container gets of its own, because they name it.
#pragma once

#include "host/container/container_service.h"
#include "host/engine/container_engine.h"
#include "host/store/containers.h"

#include <string>
#include <vector>

namespace berth::container {

/// Its name; of one that waits to be claimed, a word that all of those have.
[[nodiscard]] std::string hostname_of(const store::Container& row);

/// What a fresh container needs to know of itself, before its first start.
[[nodiscard]] std::vector<engine::SeedFile> seeds(const std::string& name);

/// What a container must not share with the one that its files are from.
[[nodiscard]] std::vector<engine::SeedFile> seeds_of_copy(const std::string& name,
                                                          const Origin& origin);

}  // namespace berth::container
