// SPDX-License-Identifier: Apache-2.0
// The table of operations: work that was handed out by id, so that its end can be asked for by
// somebody who was not connected when it came. Ended ones leave after their time.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

enum class OperationStatus : std::uint8_t { working, completed, failed, cancelled };

[[nodiscard]] std::string_view status_word(OperationStatus status);

struct Operation {
    std::string id = {};  // "op_…"
    std::string caller = {};
    std::string tool = {};
    std::string container = {};  // what it works on; "" when that is none
    OperationStatus status = OperationStatus::working;
    std::string created_at = {};  // RFC 3339, as are the others
    std::string updated_at = {};
    std::string expires_at = {};              // once it has ended
    std::optional<std::string> outcome = {};  // JSON: the result, or the error
};

class Operations {
public:
    explicit Operations(Database& database) : database_(database) {}

    /// Inserts; when there are more than `kept_max` then, the oldest ended ones go.
    [[nodiscard]] Result<> insert(const Operation& operation, std::int64_t kept_max);
    /// Writes status, times and outcome of an operation that is there.
    [[nodiscard]] Result<> end(const Operation& operation);
    /// Ends all that are `working` alike, and returns them as they are then.
    [[nodiscard]] Result<std::vector<Operation>> end_all(const Operation& as);
    /// Removes what has expired at `now`.
    [[nodiscard]] Result<> expire(const std::string& now);
    [[nodiscard]] Result<std::optional<Operation>> find(std::string_view id);
    /// Newest first, without their outcomes, which can be large.
    [[nodiscard]] Result<std::vector<Operation>> list();

private:
    Database& database_;
};

}  // namespace berth::store
