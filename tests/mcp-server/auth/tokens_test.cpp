// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/tokens.h"

#include "base/files.h"
#include "mcp-server/auth/crypto.h"
#include "mcp-server/auth/token_command.h"
#include "tests/mcp-server/auth/auth_fixtures.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <CLI/CLI.hpp>
#include <sys/stat.h>

#include <thread>

using namespace berth;
using namespace berth::auth;
using std::chrono_literals::operator""s;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// Runs a command line as berth-mcp would.
Result<std::string> run(const std::vector<std::string>& words, const std::string& file,
                        const Clock& clock) {
    CLI::App app;
    TokenCommand command;
    add_token_commands(app, command);
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    try {
        app.parse(reversed);
    } catch (const CLI::ParseError& problem) {
        return fail(ErrorCode::invalid_argument, problem.what());
    }
    return run_token_command(command, file, clock);
}

}  // namespace

TEST_CASE("a token that is given out is known, and only its digest is kept", "[tokens]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "tokens.json";
    FakeClock clock;
    const auto text = add_token(path, {.id = "ci", .scopes = {"container.*"}}, clock);
    REQUIRE(text);
    CHECK(text->starts_with(token_prefix));
    CHECK(text->size() == token_text_bytes);
    CHECK(mode_of(path) == 0600);
    const auto content = read_file(path);
    REQUIRE(content);
    CHECK(content->find(*text) == std::string::npos);
    CHECK(content->find(sha256_hex(*text)) != std::string::npos);

    TokenStore store(path, clock);
    const auto token = store.verify(*text);
    REQUIRE(token);
    CHECK(token->id == "ci");
    CHECK(token->scopes == std::vector<std::string>{"container.*"});
    for (const std::string& wrong :
         {std::string(), *text + "A", text->substr(0, 20), std::string(token_prefix),
          sha256_hex(*text), std::string(token_text_bytes, 'A')}) {
        const auto unknown = store.verify(wrong);
        REQUIRE_FALSE(unknown);
        CHECK(unknown.error().code == ErrorCode::not_found);
    }
}

TEST_CASE("a token is good until it expires", "[tokens]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "tokens.json";
    FakeClock clock;
    const auto text =
        add_token(path, {.id = "ci", .scopes = {"*"}, .good_for = std::chrono::days(1)}, clock);
    REQUIRE(text);
    TokenStore store(path, clock);
    clock.advance(std::chrono::hours(24) - 1s);
    CHECK(store.verify(*text));
    clock.advance(1s);
    CHECK_FALSE(store.verify(*text));
}

TEST_CASE("a change of the file counts within a second", "[tokens]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "tokens.json";
    FakeClock clock;
    const auto first = add_token(path, {.id = "first", .scopes = {"*"}}, clock);
    TokenStore store(path, clock);
    CHECK(store.verify(*first));
    const auto second = add_token(path, {.id = "second", .scopes = {"*.read"}}, clock);
    REQUIRE(second);
    CHECK_FALSE(store.verify(*second));
    clock.advance(watched_file_interval);
    CHECK(store.verify(*second));
    REQUIRE(remove_token(path, "first"));
    clock.advance(watched_file_interval);
    CHECK_FALSE(store.verify(*first));
    CHECK(store.verify(*second));
}

TEST_CASE("with a file that cannot be used nobody gets in, until it can", "[tokens]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "tokens.json";
    FakeClock clock;
    const auto text = add_token(path, {.id = "ci", .scopes = {"*"}}, clock);
    TokenStore store(path, clock);
    REQUIRE(store.verify(*text));
    const auto good = read_file(path);
    clock.advance(watched_file_interval);

    SECTION("because it is broken") {
        REQUIRE(write_file_atomically(path, "{", {.mode = 0600}));
    }
    SECTION("because it is gone") {
        std::filesystem::remove(path);
    }
    SECTION("because others may read it") {
        std::filesystem::permissions(path, std::filesystem::perms(0644));
    }
    SECTION("because its group may write it") {
        std::filesystem::permissions(path, std::filesystem::perms(0660));
    }
    for (int again = 0; again < 3; ++again) {
        const auto refused = store.verify(*text);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == ErrorCode::unavailable);
        CHECK(refused.error().message.find(path.string()) != std::string::npos);
    }
    REQUIRE(write_file_atomically(path, *good, {.mode = 0640}));
    CHECK(store.verify(*text));
}

TEST_CASE("a file of tokens is read strictly", "[tokens]") {
    const Json one{{"id", "ci"},
                   {"sha256", std::string(64, 'a')},
                   {"scopes", Json::array({"*"})},
                   {"created_at", "2026-01-31T12:00:00Z"}};
    const auto parse = [](const Json& token) {
        return parse_tokens(to_text(Json{{"tokens", Json::array({token})}}));
    };
    const auto with = [&one](const char* key, const Json& value) {
        Json changed = one;
        changed[key] = value;
        return changed;
    };
    CHECK(parse(one));
    CHECK(parse(with("created_at", "2026-01-31T12:00:00.123Z")));
    for (const Json& wrong :
         {with("id", ""), with("id", "A"), with("id", std::string(65, 'a')), with("id", "a/b"),
          with("sha256", std::string(63, 'a')), with("sha256", std::string(64, 'A')),
          with("scopes", "*"), with("scopes", Json::array({""})),
          with("scopes", Json::array({"a b"})), with("created_at", 1),
          with("created_at", "2026-02-30T12:00:00Z"), with("created_at", "2026-01-31 12:00:00Z"),
          with("created_at", "2026-01-31T24:00:00Z"), with("created_at", "2026-01-31T12:00:00."),
          with("created_at", "2026-01-31T12:00:00.Z"), with("expires_at", "never"),
          with("note", "x"), Json(1), Json::object()}) {
        CAPTURE(to_text(wrong));
        CHECK_FALSE(parse(wrong));
    }
    CHECK_FALSE(parse_tokens(to_text(Json{{"tokens", Json::array({one, one})}})));
    for (const char* text : {"", "[]", "{}", R"({"tokens":{}})", R"({"tokens":[],"more":1})"}) {
        CAPTURE(text);
        CHECK(parse_tokens(text).has_value() == (std::string_view(text) == "{}"));
    }
    const Json many(std::vector<Json>(tokens_max + 1, one));
    CHECK_FALSE(parse_tokens(to_text(Json{{"tokens", many}})));
}

TEST_CASE("tokens that are added at once are all there", "[tokens]") {
    const TemporaryDirectory directory;
    const auto path = directory.path() / "tokens.json";
    const FakeClock clock;
    {
        std::vector<std::jthread> commands;
        for (const char* id : {"a", "b", "c", "d", "e", "f"}) {
            commands.emplace_back(
                [&path, &clock, id] { (void)add_token(path, {.id = id, .scopes = {"*"}}, clock); });
        }
    }
    const auto tokens = list_tokens(path);
    REQUIRE(tokens);
    CHECK(tokens->size() == 6);
}

TEST_CASE("the command line gives tokens out and takes them back", "[tokens]") {
    const TemporaryDirectory directory;
    const std::string file = directory.path() / "tokens.json";
    const FakeClock clock;
    const auto text = run({"token", "add", "ci", "--scope", "container.read", "--scope", "port.*",
                           "--expires-days", "30"},
                          file, clock);
    REQUIRE(text);
    CHECK(text->size() == token_text_bytes + 1);
    const auto listed = run({"token", "list"}, file, clock);
    REQUIRE(listed);
    CHECK(listed->find("ci ") != std::string::npos);
    CHECK(listed->find("container.read port.*") != std::string::npos);
    CHECK(listed->find("2027-02-14") != std::string::npos);
    const auto json = run({"token", "list", "--json"}, file, clock);
    REQUIRE(json);
    CHECK(json->find("sha256") == std::string::npos);
    CHECK(json->find("\"id\": \"ci\"") != std::string::npos);

    SECTION("a name is taken once") {
        const auto again = run({"token", "add", "ci", "--scope", "*"}, file, clock);
        REQUIRE_FALSE(again);
        CHECK(again.error().code == ErrorCode::already_exists);
    }
    SECTION("a scope that no tool needs is refused, with the nearest one") {
        const auto wrong = run({"token", "add", "cd", "--scope", "contaner.read"}, file, clock);
        REQUIRE_FALSE(wrong);
        CHECK(wrong.error().message.find("container.read") != std::string::npos);
        CHECK_FALSE(run({"token", "add", "cd"}, file, clock));
        CHECK_FALSE(run({"token", "add", "C D", "--scope", "*"}, file, clock));
    }
    SECTION("another file can be named") {
        const std::string other = directory.path() / "other.json";
        CHECK(run({"token", "--file", other, "add", "cd", "--scope", "*"}, file, clock));
        CHECK(list_tokens(other)->size() == 1);
        CHECK(list_tokens(file)->size() == 1);
    }
    SECTION("a token is removed once, and the file keeps its mode") {
        std::filesystem::permissions(file, std::filesystem::perms(0640));
        CHECK(run({"token", "remove", "ci"}, file, clock) == "removed ci\n");
        CHECK(mode_of(file) == 0640);
        const auto gone = run({"token", "remove", "ci"}, file, clock);
        REQUIRE_FALSE(gone);
        CHECK(gone.error().code == ErrorCode::not_found);
    }
}
