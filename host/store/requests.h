// SPDX-License-Identifier: Apache-2.0
// The table of calls that are to happen once: what a caller's key stands for, and, when it is done,
// what came of it.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <optional>
#include <string>

namespace berth::store {

struct Request {
    std::string caller;
    std::string key;
    std::string tool;
    std::string arguments;                   // a digest
    std::string created_at;                  // RFC 3339
    std::string before = "null";             // JSON: what was there then
    std::optional<std::string> result = {};  // JSON; nothing until it is done
};

class Requests {
public:
    explicit Requests(Database& database) : database_(database) {}

    /// Inserts; what is older than `oldest` goes, and when there are more than `kept_max` then,
    /// the oldest that are done. already_exists for a key of that caller's that is there.
    [[nodiscard]] Result<> insert(const Request& request, const std::string& oldest,
                                  std::int64_t kept_max);
    [[nodiscard]] Result<> finish(const Request& request, const std::string& result);
    [[nodiscard]] Result<> remove(const Request& request);
    [[nodiscard]] Result<std::optional<Request>> find(const std::string& caller,
                                                      const std::string& key);

private:
    Database& database_;
};

}  // namespace berth::store
