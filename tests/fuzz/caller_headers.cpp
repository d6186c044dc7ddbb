// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a client says about itself in headers: who it is and which tools it wants, and
// the seals that it gives back. Each line is a value.
#include "base/clock.h"
#include "mcp-server/auth/authenticator.h"
#include "mcp-server/auth/seal.h"
#include "mcp-server/policy/tool_filter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace berth;

/// Has no key, so that no token can be good.
class NoKeys final : public auth::KeySource {
public:
    Result<std::shared_ptr<const auth::Jwks>> keys(bool) override {
        return fail(ErrorCode::unavailable, "none");
    }
};

constexpr std::array<const char*, 5> names = {"authorization", policy::toolsets_header,
                                              policy::tools_header, policy::exclude_tools_header,
                                              policy::read_only_header};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    static const SystemClock clock;
    static const auth::Authenticator authenticator(
        {.resource = "https://berth.example/mcp", .issuer = "https://as.example"}, nullptr,
        std::make_unique<NoKeys>(), clock);
    static const auth::Seals seals(auth::SealKey::random(), clock);

    std::string_view text(reinterpret_cast<const char*>(bytes), count);
    HttpRequest request;
    request.query = text.substr(0, text.find('\n'));
    if (seals.open(request.query, {.purpose = "fuzz"})) std::abort();
    for (std::size_t at = 0; !text.empty(); ++at) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        request.headers.emplace(names.at(at % names.size()), text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto caller = authenticator.check(request);
    if (caller || caller.error().status < 400 || caller.error().message.empty()) std::abort();
    if (caller.error().www_authenticate.find('\n') != std::string::npos) std::abort();
    const auto wish = policy::wish_of(request.headers);
    if (!wish) return 0;
    const auto offered = policy::ToolFilter::of({.toolsets = {{"container"}}});
    const auto narrowed = offered->narrowed(*wish);
    if (narrowed && narrowed->count() > offered->count()) std::abort();
    return 0;
}
