// SPDX-License-Identifier: Apache-2.0
#include "host/exec/kept_outputs.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace berth;
using namespace berth::exec;

namespace {

namespace fs = std::filesystem;

const std::string ada = "00000000aa";
const std::string bob = "00000000bb";

struct Place {
    explicit Place(KeptLimits limits = {}) : outputs(directory.path(), limits) {
        fs::create_directory(directory.path() / ada);
        fs::create_directory(directory.path() / bob);
    }
    std::string keep(const std::string& container, std::string_view bytes) {
        auto growing = outputs.begin(container);
        REQUIRE(growing);
        growing->add(bytes);
        return growing->id();
    }
    [[nodiscard]] bool has(const std::string& container, const std::string& id) const {
        return fs::exists(directory.path() / container / "output" / id);
    }
    TemporaryDirectory directory;
    KeptOutputs outputs;
};

}  // namespace

TEST_CASE("an output is read byte for byte, from anywhere, also while it grows", "[exec]") {
    Place place;
    auto growing = place.outputs.begin(ada);
    REQUIRE(growing);
    growing->add("0123");
    CHECK(place.outputs.read(ada, growing->id(), 0, 100)->bytes == "0123");
    growing->add(std::string("\0" "456789", 7));
    CHECK(growing->bytes() == 11);
    const auto part = place.outputs.read(ada, growing->id(), 3, 4);
    REQUIRE(part);
    CHECK(part->bytes == std::string("3\0" "45", 4));
    CHECK(part->total == 11);
    CHECK(place.outputs.read(ada, growing->id(), 11, 4)->bytes.empty());
    const auto behind = place.outputs.read(ada, growing->id(), 12, 4);
    REQUIRE_FALSE(behind);
    CHECK(behind.error().field == "/offset");
}

TEST_CASE("an output belongs to its container alone, and goes with it", "[exec]") {
    Place place;
    const std::string id = place.keep(ada, "secret");
    const auto elsewhere = place.outputs.read(bob, id, 0, 10);
    REQUIRE_FALSE(elsewhere);
    CHECK(elsewhere.error().code == ErrorCode::not_found);
    CHECK(elsewhere.error().field == "/output_id");
    fs::remove_all(place.directory.path() / ada);
    CHECK_FALSE(place.outputs.begin(ada));
    CHECK_FALSE(fs::exists(place.directory.path() / ada));
}

TEST_CASE("of a stream without end the beginning is kept", "[exec]") {
    Place place({.output_bytes_max = 10});
    auto growing = place.outputs.begin(ada);
    REQUIRE(growing);
    for (int round = 0; round < 5; ++round) growing->add("abc");
    CHECK(growing->bytes() == 10);
    CHECK(place.outputs.read(ada, growing->id(), 0, 100)->bytes == "abcabcabca");
}

TEST_CASE("the oldest outputs of all containers make room for new ones", "[exec]") {
    Place place({.output_bytes_max = 100, .all_bytes_max = 25});
    const std::string first = place.keep(ada, std::string(10, 'a'));
    const std::string second = place.keep(bob, std::string(10, 'b'));
    const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
    fs::last_write_time(place.directory.path() / ada / "output" / first, long_ago);
    const std::string third = place.keep(ada, std::string(10, 'c'));
    CHECK(place.has(ada, first));  // there was room when the third began
    const std::string fourth = place.keep(ada, "d");
    CHECK_FALSE(place.has(ada, first));
    CHECK(place.has(bob, second));
    CHECK(place.has(ada, third));
    CHECK(place.has(ada, fourth));
}
