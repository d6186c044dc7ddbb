// SPDX-License-Identifier: Apache-2.0
// The contract of container_engine.h, case by case: what can be changed about a container.
#include "tests/host/engine/contract/guest.h"

#include <array>
#include <utility>

using namespace berth;
using namespace berth::contract;

namespace {

constexpr std::int64_t mib = 1 << 20;

/// A limit by its field's name, and a value that a machine with means for it can keep.
struct Named {
    const char* field;
    std::int64_t engine::Limits::* limit;
    std::int64_t value;
};
constexpr std::array optional_limits{
    Named{"/swap_bytes", &engine::Limits::swap_bytes, 16 * mib},
    Named{"/disk_bytes", &engine::Limits::disk_bytes, 64 * mib},
    Named{"/io_bytes_per_second", &engine::Limits::io_bytes_per_second, 16 * mib},
    Named{"/io_operations_per_second", &engine::Limits::io_operations_per_second, 1000},
    Named{"/receive_bytes_per_second", &engine::Limits::receive_bytes_per_second, mib},
    Named{"/send_bytes_per_second", &engine::Limits::send_bytes_per_second, mib},
};

}  // namespace

TEST_CASE("limits change while it runs, and hold, and again as they were", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    guest.start_without_init();
    const auto before = guest.spec.limits;
    auto after = before;
    after.memory_bytes = 64 * mib;
    after.processes = 16;
    after.cpu_percent = 20;
    CHECK(engine->check(before));
    CHECK(guest.answers("eat 100", "="));
    CHECK(guest.answers_from("fork 64", 64, 64));
    REQUIRE(engine->limit(guest.spec.id, before, after));
    CHECK(guest.answers("eat 100", ""));  // was killed
    CHECK(guest.answers_from("fork 64", 1, 15));
    CHECK(guest.answers_from("burn 1000", 1, 500));  // ms: more than 200, as a period may be begun
    REQUIRE(engine->limit(guest.spec.id, after, before));
    CHECK(guest.answers("eat 100", "="));
    CHECK(guest.answers_from("fork 64", 64, 64));
    REQUIRE(engine->limit(guest.spec.id, {}, after));  // each anew
    CHECK(guest.answers_from("fork 64", 1, 15));
    CHECK(engine->running(guest.spec.id));
}

TEST_CASE("limits hold from the start on", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one, [](engine::Spec& spec) {
        spec.limits.memory_bytes = 64 * mib;
        spec.limits.processes = 16;
    });
    guest.start_without_init();
    CHECK(guest.answers("eat 100", ""));
    CHECK(guest.answers_from("fork 64", 1, 15));
}

TEST_CASE("a limit that a machine has no means for is unsupported by its name, and else it is set",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    for (const auto& [field, limit, value] : optional_limits) {
        CAPTURE(field);
        auto wanted = one->spec(0).limits;
        wanted.*limit = value;
        if (const auto checked = engine->check(wanted); !checked) {
            CHECK(checked.error().code == ErrorCode::unsupported);
            CHECK(checked.error().field == field);
            CHECK_FALSE(checked.error().hint.empty());
            continue;
        }
        Guest guest(*one, [&](engine::Spec& spec) { spec.limits = wanted; });
        guest.start_without_init();
        auto less = wanted;
        less.*limit /= 2;
        CHECK(engine->limit(guest.spec.id, wanted, less));
        CHECK(engine->limit(guest.spec.id, less, wanted));
    }
}

TEST_CASE("limits below what it uses are busy, and nothing changes", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    guest.start_without_init();
    const auto& before = guest.spec.limits;
    auto after = before;
    after.processes = 16;
    after.memory_bytes = 4096;
    const auto refused = engine->limit(guest.spec.id, before, after);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().field == "/memory_bytes");
    CHECK(guest.answers("eat 100", "="));
    CHECK(guest.answers_from("fork 64", 64, 64));
}

TEST_CASE("a disk of its own takes as much as its limit says, and tells how much", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    auto limited = one->spec(0).limits;
    limited.disk_bytes = 64 * mib;
    if (!engine->check(limited)) return;
    {
        const Guest without(*one);
        CHECK_FALSE(engine->own_disk_use(without.spec.id));
        CHECK(engine->usage(without.spec)->disk_by == engine::DiskBy::none);
    }
    Guest guest(*one, [&](engine::Spec& spec) { spec.limits = limited; });
    CHECK(engine->own_disk_use(guest.spec.id));
    // As the means say that there is no more.
    const auto is_full = [&guest](const std::string& question) {
        return guest.answers(question, "!ENOSPC") || guest.answers(question, "!EDQUOT");
    };
    guest.start_without_init();
    CHECK(guest.answers("fill /var/tmp/some 16", "="));
    CHECK(is_full("fill /var/tmp/more 64"));
    CHECK(guest.answers("fill /var/tmp/more 16", "="));
    const auto used = engine->own_disk_use(guest.spec.id);
    REQUIRE(used);
    CHECK(used->exact);
    CHECK(used->bytes > 0);
    CHECK(used->bytes <= limited.disk_bytes);
    const auto usage = engine->usage(guest.spec);
    REQUIRE(usage);
    CHECK(usage->disk_by != engine::DiskBy::none);

    auto less = limited;
    less.disk_bytes = 1024;
    const auto refused = engine->limit(guest.spec.id, limited, less);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::busy);
    CHECK(refused.error().field == "/disk_bytes");
    // What can be changed is changed back when something else of the same call cannot.
    auto both = limited;
    both.disk_bytes = 128 * mib;
    both.memory_bytes = 4096;
    CHECK(engine->limit(guest.spec.id, limited, both).error().field == "/memory_bytes");
    CHECK(is_full("fill /var/tmp/last 64"));
    both.memory_bytes = limited.memory_bytes;
    REQUIRE(engine->limit(guest.spec.id, limited, both));
    CHECK(guest.answers("fill /var/tmp/last 64", "="));
}

TEST_CASE("a device is given to what runs and taken from it, and both can be repeated",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    const auto& device = one->device;
    const auto open = "open " + device.path;
    for (const auto& refused :
         {engine->add_device(guest.spec, device), engine->remove_device(guest.spec, device),
          engine->renew_devices(guest.spec)}) {
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::unavailable);  // it does not run
    }
    guest.start_without_init();
    CHECK(guest.answers(open, "!ENOENT"));
    for (int time = 0; time < 2; ++time) {
        REQUIRE(engine->add_device(guest.spec, device));
        CHECK(guest.answers(open, "="));
    }
    for (int time = 0; time < 2; ++time) {
        REQUIRE(engine->remove_device(guest.spec, device));
        CHECK(guest.answers(open, "!ENOENT"));
    }
}

TEST_CASE("a device that something inside has open is busy, and stays", "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one, [&](engine::Spec& spec) { spec.devices = {one->device}; });
    guest.start_without_init();
    const auto open = "open " + one->device.path;
    {
        const auto user = one->ask(guest.spec, open);
        REQUIRE(user);
        REQUIRE(user->text == "=");
        const auto refused = engine->remove_device(guest.spec, one->device);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::busy);
        CHECK(guest.answers(open, "="));
    }
    REQUIRE(engine->remove_device(guest.spec, one->device));
    CHECK(guest.answers(open, "!ENOENT"));
}

TEST_CASE("devices are those of the start, and what they are renewed to, in use or not",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    auto other = one->device;
    other.path += "-other";
    Guest guest(*one, [&](engine::Spec& spec) { spec.devices = {one->device}; });
    guest.start_without_init();
    CHECK(guest.answers("open " + one->device.path, "="));
    CHECK(guest.answers("open " + other.path, "!ENOENT"));
    const auto user = one->ask(guest.spec, "open " + one->device.path);
    guest.spec.devices = {other};
    for (int time = 0; time < 2; ++time) {
        REQUIRE(engine->renew_devices(guest.spec));
        CHECK(guest.answers("open " + one->device.path, "!ENOENT"));
        CHECK(guest.answers("open " + other.path, "="));
    }
    guest.spec.devices = {};
    REQUIRE(engine->stop(guest.spec.id, 0));
    guest.start_without_init();
    CHECK(guest.answers("open " + other.path, "!ENOENT"));
}

TEST_CASE("what nobody has used yet gets another name and other files while it runs",
          "[contract]") {
    Subject* one = nullptr;
    auto* const engine = engine_here(one);
    if (engine == nullptr) return;
    Guest guest(*one);
    guest.spec.hostname = "first";
    auto others = seeds;
    others[1].content = "another note, and longer\n";
    CHECK(engine->rename(guest.spec, others).error().code == ErrorCode::unavailable);
    guest.start_without_init();
    CHECK(guest.answers("hostname", "=first"));
    guest.spec.hostname = "second";
    for (auto& content : {others[1].content, std::string("short\n")}) {
        others[1].content = content;
        REQUIRE(engine->rename(guest.spec, others));
        CHECK(guest.answers("hostname", "=second"));
        CHECK(guest.answers("read /srv/made/note", "=" + content));
    }
    REQUIRE(engine->stop(guest.spec.id, 0));
    REQUIRE(engine->copy_changes(guest.spec, guest.copy, {}));
    CHECK(read_file(guest.copy / "srv/made/note").value() == "short\n");
}
