// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/kernel_ceilings.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace berth;

TEST_CASE("ceilings are raised to what is needed and never lowered") {
    const TemporaryDirectory directory;
    const auto instances = directory.path() / "fs/inotify/max_user_instances";
    const auto watches = directory.path() / "fs/inotify/max_user_watches";
    REQUIRE(make_directories(instances.parent_path()));
    REQUIRE(write_file_atomically(instances, "128\n"));
    REQUIRE(write_file_atomically(watches, "99999999\n"));
    engine::raise_kernel_ceilings(
        directory.path());  // the others are not there, which is said only
    CHECK(read_file(instances)->starts_with("65536"));
    CHECK(*read_file(watches) == "99999999\n");
}
