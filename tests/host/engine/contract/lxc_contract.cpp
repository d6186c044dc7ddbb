// SPDX-License-Identifier: Apache-2.0
// The contract on liblxc. tests/system/test_engine_contract.py runs this on a machine of its own,
// with a bridge; the environment says where everything is.
#include "host/engine/lxc/lxc_engine.h"
#include "host/image/image_store.h"
#include "tests/host/engine/contract/contract.h"
#include "tests/support/catch.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

namespace berth::contract {
namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

struct Machine {
    std::filesystem::path state = variable("BERTH_CONTRACT_DIR");
    std::string cgroup = variable("BERTH_CONTRACT_CGROUP");
    std::int64_t uid_base = std::atoll(variable("BERTH_CONTRACT_UIDS").c_str());
    std::filesystem::path rootfs = {};
    std::unique_ptr<engine::LxcEngine> engine = {};

    engine::Spec spec(int number) const {
        engine::Spec spec;
        spec.id = fmt::format("{:010x}", 0xc0c0a0 + number);
        spec.hostname = fmt::format("contract-{}", number);
        spec.base = rootfs;
        spec.uid_base = uid_base + number * engine::ids_per_container;
        spec.limits = {.memory_bytes = 1 << 28, .cpu_percent = 100, .processes = 256};
        spec.network = {.bridge = "contract0",
                        .mac = fmt::format("02:00:0a:63:00:{:02x}", 16 + number),
                        .ipv4 = fmt::format("10.99.0.{}", 16 + number),
                        .prefix_length = 24,
                        .gateway = "10.99.0.1"};
        spec.host_files = state / "shared";
        return spec;
    }
};

}  // namespace

Subject* subject() {
    static Machine machine;
    static Subject subject{
        .engine =
            *[] {
                (void)::setenv("PATH", "/nonexistent", 1);  // as berthd does
                auto made = engine::LxcEngine::make(
                    {.state_dir = machine.state, .cgroup = machine.cgroup, .helper = BERTH_AGENT});
                REQUIRE(made);
                machine.engine = *std::move(made);
                const auto image = image::ImageStore(variable("BERTH_IMAGE_DIR"))
                                       .find(ImageName::parse("debian-12").value());
                REQUIRE(image);
                machine.rootfs = image->rootfs;
                return machine.engine.get();
            }(),
        .scratch = machine.state,
        .spec = [](int number) { return machine.spec(number); },
        .crash =
            [](const engine::Spec& spec) {
                const auto init = machine.engine->init_pid(spec.id);
                REQUIRE(init);
                REQUIRE(::kill(*init, SIGKILL) == 0);
            },
        .greeter = BERTH_GREETER};
    return &subject;
}

}  // namespace berth::contract
