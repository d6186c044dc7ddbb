// SPDX-License-Identifier: Apache-2.0
#include "tunnel/hello.h"

#include "tests/support/catch.h"

#include <string>

using namespace berth;
using namespace berth::tunnel;

namespace {

std::string framed(const std::string& text) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += static_cast<char>(text.size() >> static_cast<unsigned>(shift) & 0xffU);
    }
    return out + text;
}

Hello full() {
    return {.token = "secret-token",
            .pool = "lab",
            .host = "a",
            .ports = {443, 22},
            .port = 443,
            .hostname = "lab.test",
            .aliases = {"api.lab.test"},
            .base_domains = {"apps.test"},
            .generation = 7};
}

}  // namespace

TEST_CASE("a hello is read as it was written, however it is cut", "[tunnel]") {
    const std::string bytes = encode(full());
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        const auto part = read_hello(std::string_view(bytes).substr(0, length));
        REQUIRE(part);
        REQUIRE_FALSE(*part);
    }
    const auto read = read_hello(bytes + "behind").value().value();
    CHECK(read.value == full());
    CHECK(read.bytes == bytes.size());
}

TEST_CASE("a hello that is wrong names its field", "[tunnel]") {
    const auto [text, field] = GENERATE(table<std::string, std::string>({
        {R"({"ports":[1]})", "/host"},
        {R"({"host":"a"})", "/ports"},
        {R"({"host":"a","ports":[]})", "/ports"},
        {R"({"host":"a","ports":[65536]})", "/ports/0"},
        {R"({"host":"a","ports":[1],"hostname":"x","port":2})", "/port"},
        {R"({"host":"a","ports":[1],"more":1})", "/more"},
        {R"({"host":"a","ports":[1],"generation":-1})", "/generation"},
    }));
    const auto read = read_hello(framed(text));
    REQUIRE_FALSE(read);
    CHECK(read.error().field == field);
}

TEST_CASE("a hello that is too long is refused by its length alone", "[tunnel]") {
    CHECK_FALSE(read_hello(std::string("\0\1\0\1", 4)));
    CHECK(read_hello(std::string("\0\1\0\0", 4)));
    CHECK_FALSE(read_hello(framed("{")));
}

TEST_CASE("an answer is a session or says why there is none", "[tunnel]") {
    const auto session = read_answer(encode(HelloAnswer{.session = 9})).value().value();
    CHECK(session.value.session == 9);
    CHECK_FALSE(session.value.error);
    Error why = make_error(ErrorCode::denied, "invalid token").at("/token").next("ask for one");
    const auto refused = read_answer(encode(HelloAnswer{.error = why})).value().value().value;
    REQUIRE(refused.error);
    CHECK(refused.error->code == ErrorCode::denied);
    CHECK(refused.error->message == "invalid token");
    CHECK(refused.error->field == "/token");
    CHECK(refused.error->hint == "ask for one");
    // A code of a later sentinel's is something that may pass.
    const auto later = read_answer(framed(R"({"code":"new","error":"why"})")).value().value();
    CHECK(later.value.error->code == ErrorCode::unavailable);
    CHECK_FALSE(read_answer(framed("{}")));
}

TEST_CASE("an answer is never longer than its reader takes", "[tunnel]") {
    const Error why = make_error(ErrorCode::denied, std::string(answer_bytes_max, 'x'));
    CHECK(read_answer(encode(HelloAnswer{.error = why})).value().value().value.error->code ==
          ErrorCode::denied);
}
