// SPDX-License-Identifier: Apache-2.0
// The prompts of the catalogue, with what they ask about already in them: the tools that a prompt
// names are called when it is fetched, and their answers go with it.
#pragma once

#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"
#include "tools-schema/registry/prompt_spec.h"

#include <map>
#include <span>
#include <string>

namespace berth::mcp {

class CataloguePrompts final : public PromptSet {
public:
    /// Both must outlive this.
    explicit CataloguePrompts(Invoker& invoker,
                              std::span<const PromptSpec> prompts = prompt_catalogue());

    [[nodiscard]] const Json& entries() const override { return entries_; }
    /// A tool that fails has its error in the prompt instead, so that the prompt is of use then
    /// most of all.
    [[nodiscard]] DataAnswer get(const std::string& name,
                                 const std::map<std::string, std::string>& arguments,
                                 const Asked& asked) override;

private:
    Invoker& invoker_;
    std::span<const PromptSpec> prompts_;
    Json entries_;
};

}  // namespace berth::mcp
