// SPDX-License-Identifier: Apache-2.0
// Fuzz target: URIs and cursors of resources. Whatever they are, berthd is only ever asked about
// names that are valid, and what can be read as a container's can be watched.
#include "mcp-server/offer/host_resources.h"
#include "tools-schema/contract/names.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace berth;

/// Aborts on a name that ContainerName does not take.
struct StrictHost final : Invoker {
    bool asked = false;
    Result<Json> invoke(std::string_view, const Json& arguments, const Call&) override {
        asked = true;
        for (const auto* key : {"name", "container", "after"}) {
            const auto found = arguments.find(key);
            if (found == arguments.end()) continue;
            if (!ContainerName::parse(found->get<std::string>())) std::abort();
        }
        return Json::object();
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    const std::string text(reinterpret_cast<const char*>(bytes), count);
    StrictHost host;
    mcp::HostResources resources(host);
    const mcp::Asked asked{.log = [](mcp::LogLevel, const Json&) {}, .end_stream = [] {}};
    (void)resources.read(text, asked);
    if (host.asked != resources.can_watch(text)) std::abort();
    (void)resources.list(text, asked);
    return 0;
}
