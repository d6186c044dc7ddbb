// SPDX-License-Identifier: Apache-2.0
#include "host/operation/digest.h"

#include "tests/support/catch.h"

using namespace berth;
using berth::operation::digest_of;

TEST_CASE("calls that ask for the same have one digest", "[operation]") {
    const Json asked = {{"name", "ada"},
                        {"ports", {{{"container_port", 80}, {"host_port", 8080}}}}};
    const auto same =
        GENERATE(R"({"ports":[{"host_port":8080,"container_port":80}],"name":"ada"})",
                 R"({"name":"ada","image":null,"ports":[{"container_port":80,"host_port":8080}]})",
                 R"({"name":"ada","ports":[{"container_port":80,"host_port":8080}],"request_id":"r",
            "confirm_token":"t","background":true,"dry_run":false,"response_format":"detailed"})");
    CAPTURE(same);
    CHECK(digest_of(parse_json(same).value()) == digest_of(asked));
}

TEST_CASE("calls that ask for something else have another digest", "[operation]") {
    const auto argv = [](Json list) { return digest_of({{"argv", std::move(list)}}); };
    CHECK(argv({"a", "b"}) != argv({"b", "a"}));
    CHECK(argv({"1"}) != argv({1}));
    CHECK(digest_of({{"env", {{"request_id", "a"}}}}) != digest_of({{"env", Json::object()}}));
    CHECK(digest_of(Json::object()).size() == 64);
}
