// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/authenticator.h"

#include "mcp-server/auth/rate_limit.h"
#include "mcp-server/auth/scopes.h"
#include "tests/mcp-server/auth/auth_fixtures.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::auth;

namespace {

/// A server with a static token and an authorization server's key.
struct Server {
    FakeClock clock;
    TemporaryDirectory directory;
    SigningKey key = SigningKey::ec("P-256");
    std::string token;
    int fetches = 0;
    bool reachable = true;
    std::string published = jwks_text({key.jwk("k1")});
    Authenticator both = make(true, true);

    Authenticator make(bool with_tokens, bool with_keys) {
        const auto path = directory.path() / "tokens.json";
        if (with_tokens && token.empty()) {
            token = add_token(path, {.id = "ci", .scopes = {"container.*"}}, clock).value();
        }
        auto fetch = [this]() -> Result<std::string> {
            ++fetches;
            if (!reachable) return fail(ErrorCode::unavailable, "made to fail");
            return published;
        };
        return {{.resource = test_resource, .issuer = test_issuer},
                with_tokens ? std::make_unique<TokenStore>(path, clock) : nullptr,
                with_keys ? std::make_unique<FetchedKeys>(fetch, clock) : nullptr,
                clock};
    }
    [[nodiscard]] std::string jwt(std::string_view kid = "k1") const {
        return signed_jwt(key, {{"alg", "ES256"}, {"kid", kid}}, good_claims(clock));
    }
};

HttpRequest request_with(std::string authorization, std::string query = "") {
    return {.query = std::move(query),
            .headers = {{"authorization", std::move(authorization)}},
            .remote = "127.0.0.1:40312"};
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* metadata =
    "resource_metadata=\"https://berth.example/.well-known/oauth-protected-resource/mcp\"";

}  // namespace

TEST_CASE("where nothing is asked for, a caller is known by where it calls from", "[auth]") {
    const FakeClock clock;
    const Authenticator open({}, nullptr, nullptr, clock);
    CHECK_FALSE(open.required());
    const auto tcp = open.check({.remote = "[::1]:40312"});
    REQUIRE(tcp);
    CHECK(tcp->principal == "local:[::1]");
    CHECK(tcp->may("container.write"));
    const auto local = open.check({.remote = "unix", .peer_uid = 1000});
    REQUIRE(local);
    CHECK(local->principal == "uid:1000");
}

TEST_CASE("a caller without a token is told where to get one and for what", "[auth]") {
    Server server;
    for (const HttpRequest& request :
         {HttpRequest{.remote = "10.0.0.2:1"}, request_with("Basic YTpi"), request_with("")}) {
        const auto refused = server.both.check(request);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().status == 401);
        CHECK(has(refused.error().www_authenticate, "Bearer scope=\""));
        CHECK(has(refused.error().www_authenticate, "container.read container.write"));
        CHECK(has(refused.error().www_authenticate, metadata));
        CHECK_FALSE(has(refused.error().www_authenticate, "error="));
    }
    const auto unix_socket = server.both.check({.remote = "unix", .peer_uid = 0});
    CHECK_FALSE(unix_socket);
    const auto plain = server.make(true, false).check({});
    REQUIRE_FALSE(plain);
    CHECK(plain.error().www_authenticate == "Bearer realm=\"berth\"");
}

TEST_CASE("both kinds of tokens say who calls and what for", "[auth]") {
    Server server;
    const auto by_hand = server.both.check(request_with("Bearer " + server.token));
    REQUIRE(by_hand);
    CHECK(by_hand->principal == "token:ci");
    CHECK(by_hand->may("container.write"));
    CHECK_FALSE(by_hand->may("port.read"));
    CHECK_FALSE(by_hand->all_scopes);
    const auto by_server = server.both.check(request_with("bearer   " + server.jwt()));
    REQUIRE(by_server);
    CHECK(by_server->principal == "oauth:ada");
    CHECK(by_server->may("port.write"));
    CHECK(by_server->expires == server.clock.wall() + std::chrono::seconds(300));

    SECTION("each alone, the other is no good") {
        CHECK_FALSE(server.make(true, false).check(request_with("Bearer " + server.jwt())));
        CHECK_FALSE(server.make(false, true).check(request_with("Bearer " + server.token)));
    }
}

TEST_CASE("a token that is not good is answered as RFC 6750 says", "[auth]") {
    Server server;
    server.clock.advance(std::chrono::seconds(1));
    const std::string expired = server.jwt();
    server.clock.advance(std::chrono::hours(1));
    for (const std::string& token : {expired, std::string("berth_") + std::string(43, 'A'),
                                     std::string("x"), server.jwt() + "A"}) {
        const auto refused = server.both.check(request_with("Bearer " + token));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().status == 401);
        CHECK(has(refused.error().www_authenticate, "error=\"invalid_token\""));
        CHECK(has(refused.error().www_authenticate, metadata));
        CHECK((token.size() == 1 || !has(refused.error().message, token)));
    }
}

TEST_CASE("a malformed request is refused before any token is looked at", "[auth]") {
    Server server;
    const std::string good = "Bearer " + server.token;
    HttpRequest twice = request_with(good);
    twice.headers.emplace("authorization", good);
    for (const HttpRequest& request :
         {twice, request_with("Bearer"), request_with("Bearer "), request_with("Bearer a b"),
          request_with("Bearer a,b"), request_with("Bearer =="), request_with("Bearer a=b"),
          request_with("Bearer " + std::string(jwt_bytes_max + 1, 'a'))}) {
        const auto refused = server.both.check(request);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().status == 400);
        CHECK(has(refused.error().www_authenticate, "error=\"invalid_request\""));
    }
}

TEST_CASE("a token in the URL is refused, also beside a good one", "[auth][attack]") {
    Server server;
    for (const char* query : {"access_token=x", "a=b&access_token=x", "access%5Ftoken=x",
                              "%61ccess_token=x", "access_token", "access_token&a=b"}) {
        CAPTURE(query);
        const auto refused = server.both.check(request_with("Bearer " + server.token, query));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().status == 400);
    }
    CHECK(server.both.check(request_with("Bearer " + server.token, "my_access_token=x&b=%zz")));
}

TEST_CASE("a missing scope is named together with those that are there", "[auth]") {
    Server server;
    const auto caller = server.both.check(request_with("Bearer " + server.jwt()));
    REQUIRE(caller);
    const Challenge refused = server.both.insufficient_scope(*caller, "container.write");
    CHECK(refused.status == 403);
    CHECK(has(refused.www_authenticate, "error=\"insufficient_scope\""));
    CHECK(has(refused.www_authenticate, "scope=\"container.read port.* container.write\""));
    CHECK(has(refused.www_authenticate, metadata));
}

TEST_CASE("what a client must know about the resource stands at both places", "[auth]") {
    Server server;
    for (const char* path :
         {"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"}) {
        const auto document = server.both.metadata_at(path);
        REQUIRE(document);
        CHECK((*document)["resource"] == test_resource);
        CHECK((*document)["authorization_servers"] == Json::array({test_issuer}));
        CHECK((*document)["bearer_methods_supported"] == Json::array({"header"}));
        CHECK((*document)["scopes_supported"].size() == catalogue_scopes().size());
    }
    CHECK_FALSE(server.both.metadata_at("/.well-known/oauth-protected-resource/other"));
    CHECK_FALSE(server.make(true, false).metadata_at("/.well-known/oauth-protected-resource"));
}

TEST_CASE("keys are fetched when they are needed, and no more often than that", "[auth][jwks]") {
    Server server;
    const auto status = [&server](const std::string& token) {
        const auto caller = server.both.check(request_with("Bearer " + token));
        return caller ? 200 : caller.error().status;
    };
    CHECK(status(server.jwt()) == 200);
    CHECK(status(server.jwt()) == 200);
    CHECK(server.fetches == 1);

    SECTION("an unknown kid makes them be fetched again, but not at everybody's will") {
        server.published = jwks_text({server.key.jwk("k2")});
        CHECK(status(server.jwt("k2")) == 401);
        CHECK(server.fetches == 1);
        server.clock.advance(fetched_keys_interval);
        CHECK(status(server.jwt("k2")) == 200);
        CHECK(server.fetches == 2);
        for (int at = 0; at < 100; ++at) CHECK(status(server.jwt("no-such")) == 401);
        CHECK(server.fetches == 2);
    }
    SECTION("they are fetched again after ten minutes") {
        server.clock.advance(fetched_keys_fresh);
        CHECK(status(server.jwt()) == 200);
        CHECK(server.fetches == 2);
    }
    SECTION("while the server is away its keys are good for an hour, and then none are") {
        server.reachable = false;
        server.clock.advance(fetched_keys_fresh);
        for (int at = 0; at < 10; ++at) CHECK(status(server.jwt()) == 200);
        CHECK(server.fetches == 2);
        server.clock.advance(fetched_keys_stale);
        CHECK(status(server.jwt()) == 503);
        CHECK(status(server.jwt()) == 503);
        CHECK(server.fetches == 3);
        server.reachable = true;
        server.clock.advance(fetched_keys_interval);
        CHECK(status(server.jwt()) == 200);
    }
}

TEST_CASE("keys in a file are read again when it changes", "[auth][jwks]") {
    const TemporaryDirectory directory;
    FakeClock clock;
    const auto first = SigningKey::ed25519(), second = SigningKey::ed25519();
    const auto path = directory.path() / "keys.json";
    directory.write("keys.json", jwks_text({first.jwk("a")}));
    FileKeys source(path, clock);
    const auto before = source.keys(false);
    REQUIRE(before);
    CHECK((*before)->find("a", Algorithm::eddsa) != nullptr);
    directory.write("keys.json", jwks_text({second.jwk("b")}));
    clock.advance(watched_file_interval);
    const auto after = source.keys(false);
    REQUIRE(after);
    CHECK((*after)->find("a", Algorithm::eddsa) == nullptr);
    CHECK((*after)->find("b", Algorithm::eddsa) != nullptr);
    CHECK((*before)->find("a", Algorithm::eddsa) != nullptr);

    directory.write("keys.json", "{}");
    clock.advance(watched_file_interval);
    CHECK_FALSE(source.keys(false));
    std::filesystem::permissions(path, std::filesystem::perms(0666));
    const auto writable = source.keys(false);
    REQUIRE_FALSE(writable);
    CHECK(writable.error().code == ErrorCode::unavailable);
}

TEST_CASE("a scope covers what it names, its family, or all reading", "[auth]") {
    using Words = std::vector<std::string>;
    CHECK(grants(Words{"container.write"}, "container.write"));
    CHECK_FALSE(grants(Words{"container.read"}, "container.write"));
    CHECK_FALSE(grants(Words{"container.write"}, "container.read"));
    CHECK(grants(Words{"container.*"}, "container.write"));
    CHECK_FALSE(grants(Words{"container.*"}, "containers.write"));
    CHECK_FALSE(grants(Words{"contain*"}, "container.write"));
    CHECK(grants(Words{"*.read"}, "port.read"));
    CHECK_FALSE(grants(Words{"*.read"}, "port.write"));
    CHECK_FALSE(grants(Words{"*.write"}, "port.write"));
    CHECK(grants(Words{"openid", "*"}, "admin.write"));
    CHECK_FALSE(grants(Words{".*", "", "."}, "admin.write"));
    CHECK_FALSE(grants(Words{}, "admin.read"));
}

TEST_CASE("a caller may call in bursts and then at its rate", "[auth]") {
    FakeClock clock;
    RateLimit limit({.requests_per_second = 2, .burst = 3}, clock);
    for (int at = 0; at < 3; ++at) CHECK_FALSE(limit.refused("token:ci"));
    CHECK(limit.refused("token:ci") == std::chrono::milliseconds(500));
    CHECK_FALSE(limit.refused("token:cd"));
    clock.advance(std::chrono::milliseconds(499));
    CHECK(limit.refused("token:ci") == std::chrono::milliseconds(1));
    clock.advance(std::chrono::milliseconds(1));
    CHECK_FALSE(limit.refused("token:ci"));
    clock.advance(std::chrono::hours(1));
    for (int at = 0; at < 3; ++at) CHECK_FALSE(limit.refused("token:ci"));
    CHECK(limit.refused("token:ci"));

    SECTION("a rate of 0 is no limit") {
        RateLimit off({.requests_per_second = 0, .burst = 1}, clock);
        for (int at = 0; at < 1000; ++at) REQUIRE_FALSE(off.refused("token:ci"));
    }
    SECTION("callers are forgotten when there are too many, the idle ones first") {
        for (std::size_t at = 0; at < limited_callers_max - 2; ++at) {
            REQUIRE_FALSE(limit.refused(fmt::format("local:{}", at)));
        }
        CHECK(limit.refused("token:ci"));
        CHECK(limit.callers() == limited_callers_max);
        CHECK_FALSE(limit.refused("one more"));
        CHECK(limit.callers() == limited_callers_max);
        CHECK(limit.refused("token:ci"));
    }
}
