// SPDX-License-Identifier: Apache-2.0
// Access tokens, and the ways in which others have been let in with wrong ones.
#include "mcp-server/auth/jwt.h"

#include "mcp-server/auth/crypto.h"
#include "tests/mcp-server/auth/auth_fixtures.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::auth;

namespace {

const JwtRules rules{.issuer = test_issuer, .audience = test_resource};

const SigningKey& rsa_key() {
    static const SigningKey key = SigningKey::rsa();
    return key;
}

const SigningKey& ec_key() {
    static const SigningKey key = SigningKey::ec("P-256");
    return key;
}

Jwks keys_of(std::initializer_list<Json> keys) {
    auto parsed = Jwks::parse(jwks_text(keys));
    REQUIRE(parsed);
    return *std::move(parsed);
}

Result<AccessToken> read(std::string_view text, const Jwks& keys, const FakeClock& clock) {
    const auto token = BERTH_TRY(parse_jwt(text));
    return verify_jwt(token, keys, rules, clock.wall());
}

Json with(Json object, const char* name, Json value) {
    object[name] = std::move(value);
    return object;
}

Json without(Json object, const char* name) {
    object.erase(name);
    return object;
}

/// What is said about claims that are signed as they should be.
std::string verdict(const Json& claims, const FakeClock& clock) {
    const Json header{{"alg", "ES256"}, {"typ", "at+jwt"}, {"kid", "k1"}};
    const auto token =
        read(signed_jwt(ec_key(), header, claims), keys_of({ec_key().jwk("k1")}), clock);
    return token ? "fine" : token.error().message;
}

}  // namespace

TEST_CASE("a token of each accepted algorithm is believed", "[jwt]") {
    const FakeClock clock;
    struct Case {
        std::string algorithm;
        SigningKey key;
    };
    for (const auto& [algorithm, key] :
         {Case{"RS256", rsa_key()}, Case{"PS256", rsa_key()}, Case{"ES256", ec_key()},
          Case{"ES384", SigningKey::ec("P-384")}, Case{"EdDSA", SigningKey::ed25519()}}) {
        CAPTURE(algorithm);
        const Json header{{"alg", algorithm}, {"kid", "k1"}, {"typ", "at+jwt"}};
        const std::string text = signed_jwt(key, header, good_claims(clock));
        const auto token = read(text, keys_of({key.jwk("k1")}), clock);
        REQUIRE(token);
        CHECK(token->principal == "oauth:ada");
        CHECK(token->scopes == std::vector<std::string>{"container.read", "port.*"});
        CHECK(token->expires == clock.wall() + std::chrono::seconds(300));

        // One changed bit anywhere in what is signed or in the signature is noticed.
        std::string broken = text;
        broken[text.size() - 10] = broken[text.size() - 10] == 'A' ? 'B' : 'A';
        CHECK_FALSE(read(broken, keys_of({key.jwk("k1")}), clock));
    }
}

TEST_CASE("a token that nobody signed is refused", "[jwt][attack]") {
    const FakeClock clock;
    const auto algorithm = GENERATE(as<std::string>(), "none", "None", "NONE", "nOnE", "");
    const std::string content = unsigned_jwt({{"alg", algorithm}}, good_claims(clock));
    CHECK_FALSE(parse_jwt(content + "."));
    CHECK_FALSE(parse_jwt(content + ".AAAA"));
    CHECK_FALSE(parse_jwt(content));
    const Json header{{"alg", "RS256"}, {"kid", "k1"}};
    CHECK_FALSE(parse_jwt(unsigned_jwt(header, good_claims(clock)) + "."));
}

TEST_CASE("an HMAC under the server's public key is no signature", "[jwt][attack]") {
    const FakeClock clock;
    const std::string secret = rsa_key().pem();
    for (const char* algorithm : {"HS256", "RS256", "PS256"}) {
        CAPTURE(algorithm);
        const std::string content =
            unsigned_jwt({{"alg", algorithm}, {"kid", "k1"}}, good_claims(clock));
        const std::string text = content + "." + encode_base64url(hmac_sha256(secret, content));
        CHECK_FALSE(read(text, keys_of({rsa_key().jwk("k1")}), clock));
    }
}

TEST_CASE("the kind of the key decides, and not the token's header", "[jwt][attack]") {
    const FakeClock clock;
    SECTION("a token by another key under this kid has a wrong signature") {
        const auto other = SigningKey::ec("P-256");
        const Json header{{"alg", "ES256"}, {"kid", "k1"}};
        const auto token = read(signed_jwt(other, header, good_claims(clock)),
                                keys_of({ec_key().jwk("k1")}), clock);
        REQUIRE_FALSE(token);
        CHECK(token.error().code == ErrorCode::denied);
        CHECK(token.error().message.find("wrong signature") != std::string::npos);
    }
    SECTION("a kid whose key is of another kind is an unknown key") {
        const Json header{{"alg", "ES256"}, {"kid", "rsa"}};
        const auto token = read(signed_jwt(ec_key(), header, good_claims(clock)),
                                keys_of({rsa_key().jwk("rsa"), ec_key().jwk("ec")}), clock);
        REQUIRE_FALSE(token);
        CHECK(token.error().code == ErrorCode::not_found);
    }
    SECTION("a key for one algorithm verifies no other") {
        const Json header{{"alg", "PS256"}, {"kid", "k1"}};
        const auto keys = keys_of({with(rsa_key().jwk("k1"), "alg", "RS256")});
        CHECK_FALSE(read(signed_jwt(rsa_key(), header, good_claims(clock)), keys, clock));
    }
    SECTION("a key that the token brings along is not looked at") {
        const auto own = SigningKey::ec("P-256");
        Json header{{"alg", "ES256"}, {"kid", "k1"}, {"jku", "https://evil.example/keys"}};
        header["jwk"] = own.jwk("k1");
        CHECK_FALSE(read(signed_jwt(own, header, good_claims(clock)), keys_of({ec_key().jwk("k1")}),
                         clock));
    }
    SECTION("a kid that looks like a path or a query is just unknown") {
        for (const char* kid : {"../../dev/null", "k1' OR '1'='1", "k1\n", "K1"}) {
            const Json header{{"alg", "ES256"}, {"kid", kid}};
            CHECK_FALSE(read(signed_jwt(ec_key(), header, good_claims(clock)),
                             keys_of({ec_key().jwk("k1")}), clock));
        }
    }
    SECTION("without a kid, a token means the only key that suits, or none") {
        const std::string text = signed_jwt(ec_key(), {{"alg", "ES256"}}, good_claims(clock));
        CHECK(read(text, keys_of({ec_key().jwk("k1"), rsa_key().jwk("k2")}), clock));
        CHECK_FALSE(
            read(text, keys_of({ec_key().jwk("k1"), SigningKey::ec("P-256").jwk("k2")}), clock));
    }
    SECTION("two keys of one name are none") {
        const Json header{{"alg", "ES256"}, {"kid", "k1"}};
        CHECK_FALSE(read(signed_jwt(ec_key(), header, good_claims(clock)),
                         keys_of({SigningKey::ec("P-256").jwk("k1"), ec_key().jwk("k1")}), clock));
    }
}

TEST_CASE("signatures of another shape are refused", "[jwt][attack]") {
    const FakeClock clock;
    const auto keys = keys_of({ec_key().jwk("k1")});
    const std::string content = unsigned_jwt({{"alg", "ES256"}, {"kid", "k1"}}, good_claims(clock));
    // All zero passed for everything in some libraries (CVE-2022-21449).
    for (const std::size_t count : {1U, 63U, 64U, 65U, 72U}) {
        CAPTURE(count);
        CHECK_FALSE(read(content + "." + encode_base64url(std::string(count, '\0')), keys, clock));
    }
    const std::string good = ec_key().sign("ES256", content);
    CHECK(read(content + "." + encode_base64url(good), keys, clock));
    CHECK_FALSE(read(content + "." + encode_base64url(good + '\0'), keys, clock));
    // Base64url has one text for one signature, so that a token has no second spelling.
    CHECK_FALSE(read(content + "." + encode_base64url(good) + "==", keys, clock));
    CHECK_FALSE(read(content + "." + encode_base64url(good) + "\n", keys, clock));
}

TEST_CASE("claims are believed only from the issuer, for this resource", "[jwt]") {
    const FakeClock clock;
    const Json claims = good_claims(clock);
    CHECK(verdict(claims, clock) == "fine");
    for (const Json& issuer : {Json("https://evil.example"), Json("https://as.example/"), Json(1),
                               Json::array({test_issuer}), Json(nullptr)}) {
        CHECK(verdict(with(claims, "iss", issuer), clock).find("another issuer") !=
              std::string::npos);
    }
    CHECK(verdict(without(claims, "iss"), clock).find("another issuer") != std::string::npos);
    for (const Json& audience :
         {Json("https://berth.example/"), Json("https://berth.example/mcp/"), Json::array(),
          Json::array({"https://other.example/mcp"}), Json(true), Json(nullptr)}) {
        CHECK(verdict(with(claims, "aud", audience), clock).find("another resource") !=
              std::string::npos);
    }
    CHECK(verdict(without(claims, "aud"), clock).find("another resource") != std::string::npos);
    CHECK(verdict(with(claims, "aud", Json::array({"https://x.example", test_resource})), clock) ==
          "fine");
}

TEST_CASE("rules that name no issuer or no resource let nobody in", "[jwt][attack]") {
    const FakeClock clock;
    const Json claims = with(with(good_claims(clock), "iss", ""), "aud", "");
    const auto token = parse_jwt(signed_jwt(ec_key(), {{"alg", "ES256"}}, claims));
    REQUIRE(token);
    const auto keys = keys_of({ec_key().jwk("k1")});
    CHECK_FALSE(verify_jwt(*token, keys, {.issuer = "", .audience = ""}, clock.wall()));
    CHECK_FALSE(verify_jwt(*token, keys, {.issuer = "", .audience = test_resource}, clock.wall()));
}

TEST_CASE("a token is good from its nbf to its exp, give or take half a minute", "[jwt]") {
    const FakeClock clock;
    const Json claims = good_claims(clock);
    const std::int64_t now = clock.now();
    CHECK(verdict(with(claims, "exp", now - 29), clock) == "fine");
    CHECK(verdict(with(claims, "exp", now - 30), clock).find("expired") != std::string::npos);
    CHECK(verdict(with(claims, "exp", static_cast<double>(now) + 0.5), clock) == "fine");
    CHECK(verdict(with(claims, "nbf", now + 30), clock) == "fine");
    CHECK(verdict(with(claims, "nbf", now + 31), clock).find("not valid yet") != std::string::npos);
    CHECK(verdict(with(claims, "nbf", "soon"), clock).find("not valid yet") != std::string::npos);
    for (const Json& exp : {Json("tomorrow"), Json(-1), Json(1e300), Json(nullptr), Json(true)}) {
        CHECK(verdict(with(claims, "exp", exp), clock).find("when it expires") !=
              std::string::npos);
    }
    CHECK(verdict(without(claims, "exp"), clock).find("when it expires") != std::string::npos);
}

TEST_CASE("scopes come as one string or as a list", "[jwt]") {
    const FakeClock clock;
    const Json header{{"alg", "ES256"}, {"kid", "k1"}};
    const Json bare = without(good_claims(clock), "scope");
    const auto scopes = [&](const Json& claims) {
        const auto token =
            read(signed_jwt(ec_key(), header, claims), keys_of({ec_key().jwk("k1")}), clock);
        return token ? token->scopes : std::vector<std::string>{"refused"};
    };
    using Words = std::vector<std::string>;
    CHECK(scopes(bare).empty());
    CHECK(scopes(with(bare, "scope", "  a  b ")) == Words{"a", "b"});
    CHECK(scopes(with(bare, "scp", Json::array({"a", "b"}))) == Words{"a", "b"});
    CHECK(scopes(with(bare, "scp", "a b")) == Words{"a", "b"});
    CHECK(scopes(with(bare, "scope", 7)) == Words{"refused"});
    CHECK(scopes(with(bare, "scope", Json::array({1}))) == Words{"refused"});
    CHECK(scopes(with(bare, "scope", "a\"b")) == Words{"refused"});
    CHECK(scopes(with(bare, "scope", std::string(129, 'a'))) == Words{"refused"});
    CHECK(scopes(with(bare, "scp", Json(std::vector<std::string>(65, "a")))) == Words{"refused"});
}

TEST_CASE("a token says whose it is, in words that can be logged", "[jwt]") {
    const FakeClock clock;
    const Json claims = good_claims(clock);
    CHECK(verdict(without(claims, "sub"), clock) == "fine");
    CHECK(verdict(without(without(claims, "sub"), "client_id"), clock).find("whose") !=
          std::string::npos);
    for (const Json& sub : {Json(""), Json("a\nb"), Json(std::string(256, 'a')), Json(7)}) {
        CHECK(verdict(with(claims, "sub", sub), clock).find("whose") != std::string::npos);
    }
}

TEST_CASE("a token that is not written as it must be is refused", "[jwt][attack]") {
    const FakeClock clock;
    const Json header{{"alg", "ES256"}, {"kid", "k1"}};
    const Json claims = good_claims(clock);
    CHECK(parse_jwt(signed_jwt(ec_key(), header, claims)));
    CHECK(parse_jwt(signed_jwt(ec_key(), with(header, "typ", "AT+JWT"), claims)));
    CHECK(parse_jwt(signed_jwt(ec_key(), with(header, "typ", "application/at+jwt"), claims)));
    for (const Json& typ : {Json("dpop+jwt"), Json("logout+jwt"), Json(""), Json(1)}) {
        CHECK_FALSE(parse_jwt(signed_jwt(ec_key(), with(header, "typ", typ), claims)));
    }
    CHECK_FALSE(parse_jwt(signed_jwt(ec_key(), with(header, "kid", 1), claims)));
    CHECK_FALSE(parse_jwt(signed_jwt(ec_key(), with(header, "crit", Json::array()), claims)));
    // A key that stands there twice could be read one way here and another way by a proxy.
    const std::string twice =
        R"({"iss":"https://as.example","aud":"https://x.example","aud":"https://berth.example/mcp"})";
    CHECK_FALSE(
        parse_jwt(encode_base64url(to_text(header)) + "." + encode_base64url(twice) + ".AAAA"));
    CHECK_FALSE(parse_jwt(encode_base64url(R"({"alg":"none","alg":"ES256"})") + "." +
                          encode_base64url("{}") + ".AAAA"));
    CHECK_FALSE(parse_jwt(
        signed_jwt(ec_key(), header, with(claims, "fill", std::string(jwt_bytes_max, 'x')))));
    for (const char* text : {"", ".", "..", "...", "a.b", "a.b.c.d", "e30.e30.AA", "e30=.e30.AA",
                             "W10.e30.AA", "\xff.e30.AA"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_jwt(text));
    }
}

TEST_CASE("a set of keys gives those that can be used", "[jwks]") {
    SECTION("weak, foreign and misshapen keys are left out") {
        const Json good = ec_key().jwk("good");
        const auto keys = keys_of(
            {good, SigningKey::rsa(1024).jwk("weak"), SigningKey::ec("P-521").jwk("large"),
             with(rsa_key().jwk("enc"), "use", "enc"),
             with(rsa_key().jwk("wrap"), "key_ops", Json::array({"wrapKey"})),
             with(rsa_key().jwk("other"), "alg", "RSA-OAEP"),
             with(rsa_key().jwk("even"), "e", "AQAA"), with(rsa_key().jwk("one"), "e", "AQ"),
             with(good, "x", good["y"]), with(good, "y", "AAAA"),
             Json{{"kty", "oct"}, {"k", "c2VjcmV0"}, {"kid", "oct"}},
             Json{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AAAA"}}, Json(7), Json::object()});
        CHECK(keys.size() == 1);
        CHECK(keys.find("good", Algorithm::es256) != nullptr);
    }
    SECTION("a set with none that can be used says what it needs") {
        const auto keys = Jwks::parse(jwks_text({SigningKey::rsa(1024).jwk("weak")}));
        REQUIRE_FALSE(keys);
        CHECK(keys.error().hint.find("2048") != std::string::npos);
    }
    SECTION("what is no set of keys is refused") {
        for (const char* text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})", "\xff"}) {
            CHECK_FALSE(Jwks::parse(text));
        }
        const Json many(std::vector<Json>(jwks_keys_max + 1, ec_key().jwk("k")));
        CHECK_FALSE(Jwks::parse(to_text(Json{{"keys", many}})));
    }
}
