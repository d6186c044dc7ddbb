// SPDX-License-Identifier: Apache-2.0
#include "host/exec/output_buffer.h"

#include "tests/support/catch.h"

using berth::exec::OutputBuffer;

namespace {

OutputBuffer filled(std::size_t bytes_max, std::string_view text, std::size_t chunk) {
    OutputBuffer buffer(bytes_max);
    for (; !text.empty(); text.remove_prefix(std::min(chunk, text.size())))
        buffer.add(text.substr(0, chunk));
    return buffer;
}

}  // namespace

TEST_CASE("a short stream is kept whole, however it arrives", "[exec]") {
    const std::size_t chunk = GENERATE(1U, 3U, 100U);
    const auto output = filled(10, "0123456789", chunk).output();
    CHECK(output.text == "0123456789");
    CHECK(output.bytes == 10);
    CHECK(output.omitted_bytes == 0);
}

TEST_CASE("of a long stream the head and the tail are kept, and the counts are exact", "[exec]") {
    const std::size_t chunk = GENERATE(1U, 7U, 1000U);
    std::string text;
    for (int line = 0; line < 1000; ++line) text += std::to_string(line) + '\n';
    const auto output = filled(20, text, chunk).output();
    CHECK(output.bytes == static_cast<std::int64_t>(text.size()));
    CHECK(output.omitted_bytes == static_cast<std::int64_t>(text.size()) - 20);
    CHECK(output.text == "0\n1\n2\n3\n4\n\n[… " + std::to_string(text.size() - 20) +
                             " bytes left out …]\n7\n998\n999\n");
}

TEST_CASE("what spills over is all of a long stream, and nothing of a short one", "[exec]") {
    const std::size_t length = GENERATE(0U, 9U, 10U, 11U, 12U, 1000U);
    const std::size_t chunk = GENERATE(1U, 7U, 10U, 11U, 5000U);
    std::string text;
    for (std::size_t at = 0; at < length; ++at) text += static_cast<char>('a' + at % 26);
    std::string spilled;
    OutputBuffer buffer(10, [&spilled](std::string_view bytes) { spilled += bytes; });
    for (std::string_view rest = text; !rest.empty();
         rest.remove_prefix(std::min(chunk, rest.size())))
        buffer.add(rest.substr(0, chunk));
    CHECK(spilled == (length > 10 ? text : ""));
}

TEST_CASE("the cut never falls inside a character", "[exec]") {
    std::string text;
    for (int count = 0; count < 100; ++count) text += "€";
    for (std::size_t bytes_max = 8; bytes_max < 20; ++bytes_max) {
        CAPTURE(bytes_max);
        const auto output = filled(bytes_max, text, 1000).output();
        CHECK_FALSE(output.lossy);
        CHECK(output.bytes == 300);
        CHECK_FALSE(output.text.contains("\xEF\xBF\xBD"));
    }
}

TEST_CASE("bytes that are no UTF-8 are replaced, and the output says so", "[exec]") {
    const auto* bytes =
        GENERATE("\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80");
    CAPTURE(bytes);
    const auto output = filled(100, std::string("a") + bytes + "b", 100).output();
    CHECK(output.lossy);
    CHECK(output.text.starts_with("a\xEF\xBF\xBD"));
    CHECK(output.text.ends_with("b"));
}

TEST_CASE("well-formed text of every length passes unchanged", "[exec]") {
    const std::string text = "a\u00e9\u20ac\U0001F600\n";
    const auto output = filled(100, text, 100).output();
    CHECK_FALSE(output.lossy);
    CHECK(output.text == text);
}
