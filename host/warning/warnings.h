// SPDX-License-Identifier: Apache-2.0
// Remembers what is wrong on this host: whoever notices something says so here and goes on. It is
// durable when that returns, and told to whoever listens.
#pragma once

#include "base/clock.h"
#include "host/events/events.h"
#include "host/store/warnings.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace berth::warning {

using store::Severity;

/// How many are kept at most.
inline constexpr std::int64_t warnings_max = 1000;
/// How long one that is over can still be seen.
inline constexpr auto resolved_time = std::chrono::hours(24);
/// Of a message, and of a next step.
inline constexpr std::size_t text_bytes_max = 1024;

/// Something that is wrong. Longer texts than the bound above are cut.
struct Report {
    std::string_view type;  // of kinds.h
    Severity severity = Severity::warning;
    std::string entity;   // "host", "container/ada", "service/berthd"
    std::string message;  // what is wrong
    std::string next;     // what to do about it
};

/// "wn_" and 26 characters.
[[nodiscard]] std::string random_id();

struct Options {
    std::function<std::string()> make_id = random_id;
    std::int64_t kept_max = warnings_max;
};

class Warnings {
public:
    /// All must outlive this.
    Warnings(store::Database& database, const Clock& clock, events::Events& events,
             Options options = {})
        : store_(database), clock_(clock), events_(events), options_(std::move(options)) {}

    // For whoever notices something, outside of transactions: what cannot be written is logged.

    /// One of that type and entity that is known is counted once more; one that was acknowledged
    /// stays so, and one that was over is new again.
    void raise(Report report);
    /// It is over. Nothing happens when it was not known.
    void resolve(std::string_view type, std::string_view entity);
    /// Everything about that entity is over, for example because it is gone.
    void resolve_all(std::string_view entity);

    // For whoever looks.

    [[nodiscard]] Result<store::WarningPage> list(const store::WarningFilter& filter);
    /// How many are new.
    [[nodiscard]] Result<std::int64_t> count_new() { return store_.count_new(); }
    /// What those are about that are not over; of every type, or of one.
    [[nodiscard]] std::set<std::string> entities(std::optional<std::string> type = {});
    /// not_found at /id.
    [[nodiscard]] Result<store::Warning> get(std::string_view id);
    /// invalid_argument at /action for one that is over.
    [[nodiscard]] Result<store::Warning> acknowledge(std::string_view id);
    /// As it is; fails as acknowledge() would.
    [[nodiscard]] Result<store::Warning> rehearse_acknowledge(std::string_view id);
    /// As it was last.
    [[nodiscard]] Result<store::Warning> remove(std::string_view id);

private:
    void tell(const store::Warning& warning, std::string_view change);
    void tell_all(const Result<std::vector<store::Warning>>& warnings, std::string_view change);
    /// What has been over for long enough is gone for everybody from then on, whoever looks first.
    void forget();

    store::Warnings store_;
    const Clock& clock_;
    events::Events& events_;
    const Options options_;
};

}  // namespace berth::warning
