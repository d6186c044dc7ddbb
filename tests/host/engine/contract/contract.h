// SPDX-License-Identifier: Apache-2.0
// What every ContainerEngine is held to: one list of cases (contract_test.cpp), and for each engine
// a program that has them run on it. A new engine adds a file like fake_contract.cpp.
#pragma once

#include "host/engine/container_engine.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace berth::contract {

/// One engine, and what the cases need around it.
struct Subject {
    engine::ContainerEngine& engine;
    /// Where the cases may make files; on a disk, and big enough for a few copies of changes.
    std::filesystem::path scratch;
    /// What to start for the container of that number (from 0; each has uids and an address of its
    /// own): small limits, and host_files that are there.
    std::function<engine::Spec(int number)> spec;
    /// Ends its init as a crash of it would.
    std::function<void(const engine::Spec& spec)> crash;
    /// A program for inject(): it writes one byte to its descriptor 3, and ends.
    std::filesystem::path greeter;
};

/// The engine of this program, whole for as long as the program runs; null where it cannot run
/// here, which has been told then.
[[nodiscard]] Subject* subject();

}  // namespace berth::contract
