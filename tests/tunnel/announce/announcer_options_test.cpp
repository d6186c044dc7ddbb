// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/announcer_options.h"

#include "tests/support/catch.h"

using namespace berth;
using namespace berth::tunnel;

namespace {

AnnouncerOptions good() {
    return {.token_file = "/token", .primary = {.pool = "lab", .hostname = "lab.test"}};
}

/// Which option is wrong; "" for none.
std::string wrong(const std::string& sentinel, AnnouncerOptions options) {
    const auto done = complete(sentinel, options);
    return done ? "" : done.error().field;
}

}  // namespace

TEST_CASE("where the control plane is, is a URL that a token may be sent to", "[announce]") {
    AnnouncerOptions options = good();
    REQUIRE(complete("https://front.example:8888", options));
    CHECK((options.tls && options.host == "front.example" && options.port == 8888));
    REQUIRE(complete("https://[2001:db8::1]/", options));
    CHECK((options.tls && options.host == "2001:db8::1" && options.port == 443));
    REQUIRE(complete("http://127.0.0.1:8888", options));
    CHECK((!options.tls && options.host == "127.0.0.1" && options.port == 8888));
    for (const char* url :
         {"", "front.example", "https://", "https://front.example:0", "https://front.example:x",
          "https://front.example/path", "https://me@front.example", "https://front .example",
          "http://front.example", "http://127.example", "ftp://front.example"}) {
        CAPTURE(url);
        CHECK(wrong(url, good()) == "/sentinel");
    }
}

TEST_CASE("what cannot be right about a primary is named", "[announce]") {
    const std::string url = "https://front.example";
    CHECK(wrong(url, good()).empty());
    const auto with = [](auto change) {
        AnnouncerOptions options = good();
        change(options);
        return options;
    };
    CHECK(wrong(url, with([](auto& o) { o.primary.pool = ""; })) == "/pool");
    CHECK(wrong(url, with([](auto& o) { o.primary.pool = "a/b"; })) == "/pool");
    CHECK(wrong(url, with([](auto& o) { o.primary.pool = "-lab"; })) == "/pool");
    CHECK(wrong(url, with([](auto& o) { o.primary.hostname = ""; })) == "/hostname");
    CHECK(wrong(url, with([](auto& o) { o.token_file = ""; })) == "/token_file");
    CHECK(wrong(url, with([](auto& o) { o.certificate.certificate = "/c"; })) == "/key");
    CHECK(wrong(url, with([](auto& o) { o.primary.ip = "here"; })) == "/ip");
    CHECK(wrong(url, with([](auto& o) { o.primary.ip = "2001:db8::1"; })).empty());
    const auto certificate = [](auto& o) {
        o.token_file = "";
        o.certificate = {.certificate = "/c", .key = "/k"};
    };
    CHECK(wrong(url, with(certificate)).empty());
    CHECK(wrong("http://localhost", with(certificate)) == "/certificate");
}
