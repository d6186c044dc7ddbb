// SPDX-License-Identifier: Apache-2.0
// What the operator's policy says of a call, and asking a person where it says so. A person agrees
// to one call on one state of its target, once. What cannot be found out is refused.
#pragma once

#include "mcp-server/auth/seal.h"
#include "mcp-server/policy/confirm.h"
#include "mcp-server/policy/policy.h"
#include "mcp-server/protocol/offer.h"
#include "tools-schema/registry/invoker.h"
#include "tools-schema/registry/tool_spec.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace berth::mcp {

class Gate {
public:
    /// The call may be made, with these arguments, while the target is in that state ("": in any).
    struct Passed {
        Json arguments;
        std::string expected_state = {};
    };
    /// A person was asked and did not agree.
    struct Declined {
        std::string says;
    };
    using Verdict = std::variant<Passed, Declined, InputRequired>;

    /// All must outlive this.
    Gate(Invoker& invoker, const policy::Policy& policy, policy::ConfirmTokens& tokens,
         const Clock& clock);

    /// InputRequired only to a client that can show a form; others get an Error with a token.
    [[nodiscard]] Result<Verdict> pass(const ToolSpec& tool, const Json& arguments,
                                       const Asked& asked);

private:
    /// What berthd says a call would do.
    struct Preview {
        std::string would;
        std::string state;  // a digest of the target
        Json target = nullptr;
    };
    /// One call on its way through; `preview` as soon as there is one.
    struct Passage {
        const ToolSpec& tool;
        Json arguments;
        const Asked& asked;
        std::optional<Preview> preview = {};
    };

    [[nodiscard]] Result<> look(Passage& passage);
    /// Nothing when there is a target, and its labels cannot be known.
    [[nodiscard]] Result<std::optional<std::vector<std::string>>> labels_of(Passage& passage);
    [[nodiscard]] Result<Verdict> ask_person(Passage passage);
    [[nodiscard]] bool spend(const std::string& nonce);
    [[nodiscard]] Result<Verdict> redeem(Passage passage, const Json& token);
    [[nodiscard]] Result<Verdict> demand_token(Passage passage, const std::string& why);

    Invoker& invoker_;
    const policy::Policy& policy_;
    policy::ConfirmTokens& tokens_;
    const Clock& clock_;
    auth::SpentOnce spent_;
    std::string process_;  // answers are spent here, so they are good in no other process
};

/// The same gate for callers that have nobody to ask: what is behind it is called only when it
/// passes.
class GatedInvoker final : public Invoker {
public:
    /// Both must outlive this.
    GatedInvoker(Invoker& invoker, Gate& gate) : invoker_(invoker), gate_(gate) {}

    [[nodiscard]] Result<Json> invoke(std::string_view tool, const Json& arguments,
                                      const Call& call) override;

private:
    Invoker& invoker_;
    Gate& gate_;
};

}  // namespace berth::mcp
