// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/apparmor_profile.h"

#include "base/files.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace berth;
using namespace berth::engine;

TEST_CASE("the profile's source is one that AppArmor's compiler takes", "[engine]") {
    const TemporaryDirectory scratch;
    const auto source = scratch.path() / "profile";
    REQUIRE(write_file_atomically(source, apparmor_profile()));
    // Without telling the kernel, which need not have AppArmor.
    const auto compiled = run_checked(
        {.argv = {"apparmor_parser", "--skip-kernel-load", "--skip-cache", source.string()}});
    INFO((compiled ? *compiled : compiled.error().message));
    CHECK(compiled);
}

TEST_CASE("a kernel without AppArmor takes no profile, and says so", "[engine]") {
    const auto enabled = read_file("/sys/module/apparmor/parameters/enabled");
    if (enabled && enabled->starts_with('Y')) return;  // system_apparmor has that case
    const TemporaryDirectory scratch;
    const auto loaded = load_apparmor_profile(scratch.path());
    REQUIRE(!loaded);
    CHECK(loaded.error().code == ErrorCode::unsupported);
}
