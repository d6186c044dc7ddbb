// SPDX-License-Identifier: Apache-2.0
// What the files say that a container's sshd reads.
#include "host/ssh/guest_files.h"

#include "base/files.h"
#include "tests/support/catch.h"
#include "tests/support/privilege.h"
#include "tests/support/temporary_directory.h"

#include <sys/stat.h>

using namespace berth;

TEST_CASE("sshd is told each variable once, the later of a name, and quoted as it reads them") {
    if (!privileged()) return;
    const TemporaryDirectory directory;
    REQUIRE(ssh::write_sshd_config(
        directory.path(), {"A=first", "AB=1", R"(WORDS=two "quoted" \ words # 'x')", "A=last"}, 0));
    const auto config = read_file(directory.path() / "sshd_config").value();
    CHECK(
        config.contains("\nSetEnv \"AB=1\" \"WORDS=two \\\"quoted\\\" \\\\ words # 'x'\" "
                        "\"A=last\"\n"));
    struct stat status{};
    REQUIRE(::stat((directory.path() / "sshd_config").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    REQUIRE(ssh::write_sshd_config(directory.path(), {}, 0));
    CHECK_FALSE(read_file(directory.path() / "sshd_config").value().contains("SetEnv"));
}
