// SPDX-License-Identifier: Apache-2.0
// What a client can read of a host without calling a tool: host://system, host://gpus,
// warning://host and warning://ID, and for each container container://NAME and log://NAME. All of
// it comes from berthd, when it is read.
#pragma once

#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace berth::mcp {

inline constexpr const char* host_uri = "host://system";
inline constexpr const char* gpus_uri = "host://gpus";
inline constexpr const char* warning_uri = "warning://host";
inline constexpr std::string_view warning_scheme = "warning://";
inline constexpr std::string_view container_scheme = "container://";
inline constexpr std::string_view log_scheme = "log://";

/// A page has two entries for each, and the first has the three of the host besides: at most 100.
inline constexpr std::size_t containers_per_page = 48;

class HostResources final : public ResourceSet {
public:
    /// `invoker` must outlive this.
    explicit HostResources(Invoker& invoker) : invoker_(invoker) {}

    [[nodiscard]] std::expected<ResourcePage, Refusal> list(
        const std::optional<std::string>& cursor, const Asked& asked) override;
    [[nodiscard]] const Json& templates() const override;
    [[nodiscard]] DataAnswer read(const std::string& uri, const Asked& asked) override;
    [[nodiscard]] bool can_watch(const std::string& uri) const override;

private:
    [[nodiscard]] Result<Json> contents_of(const std::string& uri, const Asked& asked);

    Invoker& invoker_;
};

/// What is wrong with the host as warning_list tells it, without what is over, or with reaching it:
/// an array of what has at least {"type", "severity", "entity", "message", "next"}.
[[nodiscard]] Json warnings_of(const Result<Json>& warning_list);

}  // namespace berth::mcp
