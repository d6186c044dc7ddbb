// SPDX-License-Identifier: Apache-2.0
// Replays a fuzz target's corpus as a test: every named input is survived, in every build.
#include "base/files.h"
#include "tests/support/catch.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count);

TEST_CASE("every input of the corpus is survived", "[fuzz]") {
    std::size_t inputs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(BERTH_CORPUS)) {
        CAPTURE(entry.path().filename().string());
        const auto text = berth::read_file(entry.path());
        REQUIRE(text);
        CHECK(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text->data()),
                                     text->size()) == 0);
        ++inputs;
    }
    CHECK(inputs > 5);
}
