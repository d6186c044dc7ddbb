// SPDX-License-Identifier: Apache-2.0
// The table of warnings: what was noticed to be wrong on this host, one row for each kind and thing
// until it is forgotten.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

enum class Severity : std::uint8_t { info, warning, error, critical };
enum class WarningStatus : std::uint8_t { fresh, acknowledged, resolved };  // `fresh` is "new"

struct Warning {
    std::string id = {};  // "wn_…"
    std::string type = {};
    Severity severity = Severity::warning;
    std::string entity = {};  // "host", "container/ada"
    std::int64_t count = 1;
    std::string first_seen = {};  // RFC 3339, as are the others
    std::string last_seen = {};
    std::string message = {};
    std::string next = {};
    WarningStatus status = WarningStatus::fresh;
    std::string resolved_at = {};  // "" unless resolved
};

struct WarningFilter {
    std::optional<Severity> severity = {};
    std::optional<std::string> type = {};
    std::optional<std::string> entity = {};
    bool acknowledged = false;  // those too
    std::int64_t limit = 100;
};

struct WarningPage {
    std::vector<Warning> warnings = {};
    std::int64_t total = 0;  // of all that match
};

class Warnings {
public:
    explicit Warnings(Database& database) : database_(database) {}

    /// Inserts, or counts the row of that type and entity once more: it gets the severity, the
    /// texts and the time of `seen`, and one that was resolved is new. Returns it as it is then.
    [[nodiscard]] Result<Warning> raise(const Warning& seen);
    /// Nothing when there is no such row that is not resolved.
    [[nodiscard]] Result<std::optional<Warning>> resolve(std::string_view type,
                                                         std::string_view entity,
                                                         const std::string& at);
    /// Every one of that entity that is not resolved.
    [[nodiscard]] Result<std::vector<Warning>> resolve_all(std::string_view entity,
                                                           const std::string& at);
    /// Nothing when there is no such row, or when it is resolved.
    [[nodiscard]] Result<std::optional<Warning>> acknowledge(std::string_view id);
    /// Returns what it removed, if there was anything.
    [[nodiscard]] Result<std::optional<Warning>> remove(std::string_view id);
    /// Removes what was resolved at that time or before, and returns it.
    [[nodiscard]] Result<std::vector<Warning>> expire(const std::string& resolved_by);
    /// Removes what is more than `kept_max`, and returns it: the oldest resolved ones first, then
    /// the oldest acknowledged ones, then the oldest.
    [[nodiscard]] Result<std::vector<Warning>> trim(std::int64_t kept_max);

    [[nodiscard]] Result<std::optional<Warning>> find(std::string_view id);
    /// New ones, then acknowledged ones, then resolved ones, each by severity and newest first.
    [[nodiscard]] Result<WarningPage> list(const WarningFilter& filter);
    /// How many are new.
    [[nodiscard]] Result<std::int64_t> count_new();
    /// The entities of those that are not resolved; of every type, or of one.
    [[nodiscard]] Result<std::set<std::string>> entities(std::optional<std::string> type = {});

private:
    Database& database_;
};

}  // namespace berth::store
