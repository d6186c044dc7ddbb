// SPDX-License-Identifier: Apache-2.0
#include "base/subprocess.h"

#include "tests/support/catch.h"

#include <fcntl.h>
#include <unistd.h>

using namespace berth;
using namespace std::chrono_literals;

TEST_CASE("a program gets its input and its arguments as they are, and no shell reads them",
          "[base]") {
    CHECK(run_checked({.argv = {"cat"}, .input = "hello"}).value() == "hello");
    CHECK(run_checked({.argv = {"printf", "%s", "$HOME;*"}}).value() == "$HOME;*");
}

TEST_CASE("input and output larger than any pipe pass at once", "[base]") {
    const std::string large(900'000, 'x');
    CHECK(run_checked({.argv = {"cat"}, .input = large}).value() == large);
    CHECK(run_subprocess({.argv = {"true"}, .input = large}).value().exit_code == 0);
}

TEST_CASE("an exit code is a result, and for run_checked an error with the complaint", "[base]") {
    const std::vector<std::string> argv{"sh", "-c", "echo out; echo wrong >&2; exit 3"};
    const auto result = run_subprocess({.argv = argv}).value();
    CHECK(result.exit_code == 3);
    CHECK(result.output == "out\n");
    CHECK(result.errors == "wrong\n");
    const auto refused = run_checked({.argv = argv});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "'sh' ended with 3: wrong");
}

TEST_CASE("a signal is 128 and its number", "[base]") {
    CHECK(run_subprocess({.argv = {"sh", "-c", "kill -TERM $$"}}).value().exit_code == 143);
}

TEST_CASE("a program that is not there is not found", "[base]") {
    const auto* name = GENERATE("berth-no-such-program", "/no/such/program");
    CHECK(run_subprocess({.argv = {name}}).error().code == ErrorCode::not_found);
}

TEST_CASE("a program that takes too long is killed with what it started", "[base]") {
    const auto refused =
        run_subprocess({.argv = {"sh", "-c", "sleep 1000 & wait"}, .timeout = 50ms});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::timed_out);
}

TEST_CASE("a program that writes too much is ended", "[base]") {
    const auto refused = run_subprocess({.argv = {"yes"}, .output_bytes_max = 1000});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::quota_exceeded);
}

TEST_CASE("a program inherits no environment and no descriptor", "[base]") {
    (void)::setenv("BERTH_TEST_SECRET", "1", 1);
    const int leak = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library might
    REQUIRE(leak > 2);
    CHECK_FALSE(run_checked({.argv = {"env"}}).value().contains("BERTH_TEST_SECRET"));
    // The fourth is the directory that ls reads.
    CHECK(run_checked({.argv = {"ls", "/proc/self/fd"}}).value() == "0\n1\n2\n3\n");
    (void)::close(leak);
}
