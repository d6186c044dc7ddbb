// SPDX-License-Identifier: Apache-2.0
// What every ContainerEngine is held to: lists of cases (contract_*test.cpp), and for each engine a
// program that has them run on it. A new engine adds a file like fake_contract.cpp.
#pragma once

#include "host/engine/container_engine.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace berth::contract {

/// What a program inside has found; it is there, and holds what it has, until this goes.
struct Answer {
    std::string text;
    std::shared_ptr<void> held;
};

/// One engine, and what the cases need around it.
struct Subject {
    engine::ContainerEngine& engine;
    /// Where the cases may make files; on a disk, and big enough for a few copies of changes.
    std::filesystem::path scratch;
    /// What to start for the container of that number (from 0; each has uids and an address of its
    /// own): small limits, and host_files that are there.
    std::function<engine::Spec(int number)> spec;
    /// Has its init end: as a crash of it would, or as it ends when something inside asks for that;
    /// may be called again until it does.
    std::function<void(const engine::Spec& spec, engine::Ending how)> end;
    /// Whether its init, which start() may have wait for begin(), has begun.
    std::function<bool(const engine::Spec& spec)> has_begun;
    /// A device that may be given to a container, and that none has by itself.
    engine::Device device;
    /// The answer of a program inside (looker.c), which may be "" when it was killed; nothing
    /// where there is no inside: then a case is content with what the engine itself says.
    std::function<std::optional<Answer>(const engine::Spec& spec, const std::string& question)> ask;
    /// A program for inject(): it writes one byte to its descriptor 3, and ends.
    std::filesystem::path greeter;
};

/// The engine of this program, whole for as long as the program runs; null where it cannot run
/// here, which has been told then.
[[nodiscard]] Subject* subject();

}  // namespace berth::contract
