// SPDX-License-Identifier: Apache-2.0
// What is wrong and needs a person, remembered over restarts until it is over.
#pragma once

#include "base/clock.h"
#include "base/sqlite.h"
#include "tools-schema/contract/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace berth::sentinel {

/// The oldest makes room: who can only register must not fill the disk.
constexpr std::int64_t warnings_max = 1'000;

struct Warning {
    std::string type;    // "hostname_conflict"
    std::string entity;  // "hostname/shop.example"
    std::string message;
    std::int64_t count = 0;
    std::string first_at, last_at;
};

/// May be called from any thread.
class Warnings {
public:
    Warnings(store::Sqlite& database, const Clock& clock) : database_(database), clock_(clock) {}

    /// The same type and entity again is counted. What cannot be written is logged.
    void raise(const std::string& type, const std::string& entity, const std::string& message);
    /// It is over.
    void resolve(const std::string& type, const std::string& entity);
    /// Newest first.
    [[nodiscard]] Result<std::vector<Warning>> list();

private:
    store::Sqlite& database_;
    const Clock& clock_;
};

}  // namespace berth::sentinel
