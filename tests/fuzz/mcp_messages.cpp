// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the session core, on a text and the headers it may come with. Lines before an empty
// line are headers ("name: value"), the rest is the message; without such a line it is all message
// and comes as on stdio. Whatever is answered is one JSON-RPC message in one line.
#include "base/clock.h"
#include "mcp-server/protocol/dispatcher.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace berth;
using namespace berth::mcp;

/// Answers with its arguments, and asks when it was told nothing.
class AskingTools final : public ToolSet {
public:
    [[nodiscard]] std::span<const ToolEntry> entries() const override { return entries_; }
    [[nodiscard]] ToolAnswer call(std::string_view, const Json& arguments,
                                  const Asked& asked) override {
        if (arguments.contains("ask") && asked.accepted("name") == nullptr) {
            return InputRequired{
                .requests = {{"name", {{"method", "elicitation/create"}, {"params", {}}}}},
                .state = arguments};
        }
        return TypedOutput{arguments};
    }

private:
    std::vector<ToolEntry> entries_ = {
        {.name = "echo",
         .listing =
             R"({"name":"echo","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}})"}};
};

struct Server {
    SystemClock clock;
    AskingTools tools;
    Hub hub;
    Dispatcher dispatcher{
        {.identity = {.name = "f", .title = "f", .version = "1", .instructions = ""},
         .tools = tools},
        hub,
        auth::Seals(auth::SealKey::random(), clock)};
};

HttpHeaders headers_in(std::string_view text) {
    HttpHeaders headers;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t colon = line.find(": ");
        if (colon == std::string_view::npos) continue;
        headers.emplace(line.substr(0, colon), line.substr(colon + 2));
    }
    return headers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    static const Server server;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    const std::size_t gap = text.find("\n\n");
    const HttpHeaders headers = headers_in(text.substr(0, gap == text.npos ? 0 : gap));
    const auto session = std::make_shared<Session>("2025-03-26", Json::object());
    const RequestContext context{
        .headers = gap == text.npos ? nullptr : &headers,
        .session_state = gap == text.npos ? SessionState::not_used : SessionState::open,
        .session = session};
    const Outcome outcome =
        server.dispatcher.answer(gap == text.npos ? text : text.substr(gap + 2), context);
    if (outcome.text.contains('\n')) std::abort();
    if (!outcome.text.empty() && !jsonrpc::parse(outcome.text)) std::abort();
    if (outcome.http_status >= 500) std::abort();
    return 0;
}
