// SPDX-License-Identifier: Apache-2.0
// The contract on the engine that unit tests stand on.
#include "tests/host/engine/contract/contract.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <fmt/format.h>

namespace berth::contract {
namespace {

/// Of what the engine remembers; nothing inside runs, so there is nobody else to ask.
std::optional<Answer> answer(FakeEngine& engine, const std::string& id,
                             const std::string& question) {
    if (question == "hostname") return Answer{.text = "=" + engine.hostnames[id], .held = {}};
    if (!question.starts_with("open ")) return std::nullopt;
    const auto path = question.substr(question.find(' ') + 1);
    if (!engine.devices[id].contains(path)) return Answer{.text = "!ENOENT", .held = {}};
    engine.open_device = path;
    return Answer{.text = "=", .held = {&engine, [](void* used) {
                                            static_cast<FakeEngine*>(used)->open_device.clear();
                                        }}};
}

}  // namespace

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
                spec.hostname = fmt::format("contract-{}", number);
                spec.uid_base = 1'000'000 + number * engine::ids_per_container;
                spec.limits = {.memory_bytes = 1 << 28, .cpu_percent = 100, .processes = 256};
                return spec;
            },
        .end = [](const engine::Spec& spec,
                  engine::Ending how) { engine.end_by_itself(spec.id, how); },
        .has_begun = [](const engine::Spec& spec) { return engine.has_begun(spec.id); },
        .device = {.path = "/dev/contract", .major = 10, .minor = 235},
        .ask = [](const engine::Spec& spec,
                  const std::string& question) { return answer(engine, spec.id, question); },
        .greeter = BERTH_GREETER};
    return &subject;
}

}  // namespace berth::contract
