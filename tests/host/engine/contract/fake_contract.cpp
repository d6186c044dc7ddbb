// SPDX-License-Identifier: Apache-2.0
// The contract on the engine that unit tests stand on.
#include "tests/host/engine/contract/contract.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <fmt/format.h>

namespace berth::contract {

Subject* subject() {
    if (!privileged()) return nullptr;
    static FakeEngine engine;
    static const TemporaryDirectory scratch;
    static Subject subject{
        .engine = engine,
        .scratch = scratch.path(),
        .spec =
            [](int number) {
                engine::Spec spec;
                spec.id = fmt::format("{:010x}", number);
                spec.uid_base = 1'000'000 + number * engine::ids_per_container;
                spec.limits = {.memory_bytes = 1 << 28, .cpu_percent = 100, .processes = 256};
                return spec;
            },
        .crash =
            [](const engine::Spec& spec) { engine.end_by_itself(spec.id, engine::Ending::failed); },
        .greeter = BERTH_GREETER};
    return &subject;
}

}  // namespace berth::contract
