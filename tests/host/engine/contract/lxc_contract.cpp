// SPDX-License-Identifier: Apache-2.0
// The contract on liblxc. tests/system/test_engine_contract.py runs this on a machine of its own,
// with a bridge; the environment says where everything is.
#include "base/files.h"
#include "host/engine/lxc/lxc_engine.h"
#include "host/image/image_store.h"
#include "tests/host/engine/contract/contract.h"
#include "tests/support/catch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>

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

    ~Machine() {
        if (engine) engine->remove_shared();
    }
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

/// Nobody listens to it any more, and what it had is let go when it says so by its end.
void let_go(Fd& connection) {
    (void)::shutdown(connection.get(), SHUT_WR);
    char byte = 0;
    (void)::read(connection.get(), &byte, 1);
}

Result<Answer> try_ask(engine::ContainerEngine& engine, const engine::Spec& spec,
                       const std::string& question) {
    const Fd program(::open(BERTH_LOOKER, O_RDONLY | O_CLOEXEC));
    std::array<int, 2> ends{};
    REQUIRE(program);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    const std::shared_ptr<Fd> ours(new Fd(ends[0]), [](Fd* connection) {
        let_go(*connection);
        std::default_delete<Fd>()(connection);
    });
    Fd theirs(ends[1]);
    BERTH_TRY(engine.inject(spec.id, program, theirs));
    theirs.reset();
    BERTH_TRY(write_all(ours->get(), question));
    std::string text(8192, '\0');
    const auto length = ::read(ours->get(), text.data(), text.size());
    text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return Answer{.text = std::move(text), .held = ours};
}

Answer ask(engine::ContainerEngine& engine, const engine::Spec& spec, const std::string& question) {
    auto answer = try_ask(engine, spec, question);
    INFO((answer ? "" : answer.error().message));
    REQUIRE(answer);
    return *std::move(answer);
}

/// By what tells systemd to shut down at once (systemd(1)), if it listens already and still.
void end(engine::ContainerEngine& engine, const engine::Spec& spec, engine::Ending how) {
    if (how == engine::Ending::failed) {
        const auto init = engine.init_pid(spec.id);
        REQUIRE(init);
        REQUIRE(::kill(*init, SIGKILL) == 0);
        return;
    }
    constexpr int power_off = 14, reboot = 15;
    (void)try_ask(engine, spec,
                  fmt::format("tell-init {}", how == engine::Ending::clean ? power_off : reboot));
}

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
        .end = [](const engine::Spec& spec,
                  engine::Ending how) { end(*machine.engine, spec, how); },
        .has_begun =
            [](const engine::Spec& spec) {
                return ask(*machine.engine, spec, "read /proc/1/comm").text == "=systemd\n";
            },
        .device = {.path = "/dev/contract", .major = 10, .minor = 235},  // autofs
        .ask = [](const engine::Spec& spec,
                  const std::string& question) { return ask(*machine.engine, spec, question); },
        .greeter = BERTH_GREETER};
    return &subject;
}

}  // namespace berth::contract
