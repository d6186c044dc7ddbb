// SPDX-License-Identifier: Apache-2.0
// Completes the names that prompts and resource templates ask for, from what the host has now.
#pragma once

#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"

#include <cstddef>
#include <string>
#include <vector>

namespace berth::mcp {

/// More names of containers than this are not looked at.
inline constexpr std::size_t completed_names_max = 16'384;

class NameCompleter final : public Completer {
public:
    /// All must outlive this.
    NameCompleter(Invoker& invoker, const PromptSet& prompts, const ResourceSet& resources)
        : invoker_(invoker), prompts_(prompts), resources_(resources) {}

    /// A host that does not answer has nothing to propose.
    [[nodiscard]] std::expected<Completion, Fault> complete(const Json& reference,
                                                            const std::string& argument,
                                                            const std::string& begun,
                                                            const Json& context,
                                                            const Asked& asked) override;

private:
    [[nodiscard]] std::expected<void, Fault> check(const Json& reference,
                                                   const std::string& argument) const;

    Invoker& invoker_;
    const PromptSet& prompts_;
    const ResourceSet& resources_;
};

/// Those that begin with `begun`, and then those that have it elsewhere; both in order.
[[nodiscard]] std::vector<std::string> matching(std::vector<std::string> names,
                                                const std::string& begun);

}  // namespace berth::mcp
