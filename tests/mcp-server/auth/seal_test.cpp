// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/seal.h"

#include "mcp-server/auth/crypto.h"
#include "tests/mcp-server/auth/auth_fixtures.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

using namespace berth;
using namespace berth::auth;
using std::chrono_literals::operator""s;

TEST_CASE("a seal is opened by who it was given to, for what it was given", "[seal]") {
    FakeClock clock;
    const Seals seals(SealKey::random(), clock);
    const SealFor bound{.purpose = "request_state", .principal = "token:ci", .about = "delete web"};
    const Json payload{{"round", 1}, {"nonce", "abc"}};
    const std::string text = seals.seal(payload, 60s, bound);
    CHECK(text.starts_with("v1."));
    CHECK(seals.open(text, bound) == payload);

    SECTION("and by nobody else, for nothing else") {
        for (const SealFor& other :
             {SealFor{.purpose = "session", .principal = "token:ci", .about = "delete web"},
              SealFor{.purpose = "request_state", .principal = "token:cd", .about = "delete web"},
              SealFor{.purpose = "request_state", .principal = "token:ci", .about = "delete db"},
              SealFor{.purpose = "request_statetoken:ci", .about = "delete web"},
              SealFor{.purpose = "request_state", .principal = "token:cidelete web"}}) {
            const auto opened = seals.open(text, other);
            REQUIRE_FALSE(opened);
            CHECK(opened.error().code == ErrorCode::invalid_argument);
            CHECK(opened.error().message == seal_is_foreign);
        }
    }
    SECTION("who and what it is for cannot be read in it") {
        const auto content =
            decode_base64url(std::string_view(text).substr(3, text.rfind('.') - 3));
        REQUIRE(content);
        CHECK(content->find("token:ci") == std::string::npos);
        CHECK(content->find("delete") == std::string::npos);
    }
    SECTION("not a second too late") {
        clock.advance(59s);
        CHECK(seals.open(text, bound));
        clock.advance(1s);
        const auto opened = seals.open(text, bound);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().message == seal_has_expired);
    }
    SECTION("not when anything in it was changed") {
        for (std::size_t at = 0; at < text.size(); ++at) {
            std::string changed = text;
            changed[at] = changed[at] == 'A' ? 'B' : 'A';
            REQUIRE_FALSE(seals.open(changed, bound));
        }
    }
    SECTION("not by another key") {
        CHECK_FALSE(Seals(SealKey::random(), clock).open(text, bound));
    }
    SECTION("not when it is cut, longer, or something else") {
        CHECK_FALSE(seals.open(text.substr(0, text.size() - 1), bound));
        CHECK_FALSE(seals.open(text + "=", bound));
        CHECK_FALSE(seals.open("v2" + text.substr(2), bound));
        CHECK_FALSE(seals.open(std::string(sealed_bytes_max + 1, 'A'), bound));
        for (const char* other : {"", "v1", "v1.", "v1..", "v1.e30", "a.b.c", "\xff"}) {
            CHECK_FALSE(seals.open(other, bound));
        }
    }
}

TEST_CASE("a key has 32 bytes or more", "[seal]") {
    CHECK_FALSE(SealKey::of(std::string(31, 'k')));
    CHECK(SealKey::of(std::string(32, 'k')));
    CHECK_FALSE(SealKey::random() == SealKey::random());
}

TEST_CASE("a key file is made once and read by all", "[seal]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "state/key";
    std::vector<std::string> keys(8);
    {
        std::vector<std::jthread> processes;
        processes.reserve(keys.size());
        for (std::string& key : keys) {
            processes.emplace_back([&key, &path] {
                const auto made = load_or_make_key(path);
                if (made) key = made->bytes();
            });
        }
    }
    for (const std::string& key : keys) CHECK(key == keys[0]);
    CHECK(keys[0].size() == seal_key_bytes_min);
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto left = std::distance(std::filesystem::directory_iterator(path.parent_path()),
                                    std::filesystem::directory_iterator());
    CHECK(left == 1);
}

TEST_CASE("a key file that others may read, or that holds no key, is refused", "[seal]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "key";
    REQUIRE(load_or_make_key(path));
    std::filesystem::permissions(path, std::filesystem::perms(0640));
    const auto readable = load_or_make_key(path);
    REQUIRE_FALSE(readable);
    CHECK(readable.error().code == ErrorCode::denied);
    CHECK(readable.error().hint == fmt::format("chmod 0600 {}", path.string()));

    for (const char* content :
         {"", "short", "not base64url at all, and quite long enough for one"}) {
        directory.write("other", content);
        std::filesystem::permissions(directory.path() / "other", std::filesystem::perms(0600));
        CHECK_FALSE(load_or_make_key(directory.path() / "other"));
    }
}

TEST_CASE("what is spent once is spent", "[seal]") {
    FakeClock clock;
    SpentOnce spent(clock);
    CHECK(spent.spend("a", clock.wall() + 60s));
    CHECK_FALSE(spent.spend("a", clock.wall() + 60s));
    CHECK(spent.spend("b", clock.wall() + 60s));
    CHECK_FALSE(spent.spend("late", clock.wall()));

    SECTION("when too many are remembered, nothing more is spent until some have expired") {
        for (std::size_t at = 2; at < spent_nonces_max; ++at) {
            REQUIRE(spent.spend(fmt::format("{}", at), clock.wall() + 120s));
        }
        CHECK_FALSE(spent.spend("one more", clock.wall() + 120s));
        clock.advance(60s);
        CHECK(spent.spend("one more", clock.wall() + 120s));
        CHECK_FALSE(spent.spend("2", clock.wall() + 120s));
    }
}

TEST_CASE("base64url has one text for each byte string", "[seal]") {
    for (std::size_t length = 0; length < 70; ++length) {
        const std::string bytes = random_bytes(length);
        const std::string text = encode_base64url(bytes);
        CHECK(text.find_first_of("+/=") == std::string::npos);
        CHECK(decode_base64url(text) == bytes);
    }
    CHECK(encode_base64url("\xfb\xff") == "-_8");
    for (const char* text : {"A", "AAAAA", "AB", "AA==", "+/8", "A A", "A\n"}) {
        CAPTURE(text);
        CHECK_FALSE(decode_base64url(text));
    }
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 4231, test case 2.
    CHECK(encode_base64url(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
}
