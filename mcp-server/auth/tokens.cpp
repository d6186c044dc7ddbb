// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/tokens.h"

#include "mcp-server/auth/crypto.h"
#include "mcp-server/auth/scopes.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace berth::auth {
namespace {

using Time = std::chrono::system_clock::time_point;

constexpr std::size_t id_length_max = 64;
constexpr std::size_t digest_digits = 64;
constexpr std::string_view digits = "0123456789";

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= id_length_max &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == text.npos;
}

std::optional<int> number(std::string_view text, std::size_t at, std::size_t length) {
    const std::string_view part = text.substr(at, length);
    if (part.find_first_not_of(digits) != part.npos) return std::nullopt;
    int value = 0;
    (void)std::from_chars(part.data(), part.data() + part.size(), value);
    return value;
}

/// RFC 3339 in UTC, to the second or with a fraction, which is dropped.
std::optional<Time> parse_time(std::string_view text) {
    constexpr std::string_view form = "0000-00-00T00:00:00";
    if (text.size() <= form.size() || !text.ends_with('Z')) return std::nullopt;
    for (std::size_t at = 0; at < form.size(); ++at) {
        if (form[at] != '0' && text[at] != form[at]) return std::nullopt;
    }
    const std::string_view fraction = text.substr(form.size(), text.size() - form.size() - 1);
    const bool plain = fraction.empty() || (fraction.size() > 1 && fraction.starts_with('.') &&
                                            fraction.find_first_not_of(digits, 1) == fraction.npos);
    const auto year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
    const auto hour = number(text, 11, 2), minute = number(text, 14, 2),
               second = number(text, 17, 2);
    if (!plain || !year || !month || !day || !hour || !minute || !second) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

std::optional<Time> time_at(ObjectReader& reader, std::string_view key, bool needed,
                            const std::string& pointer, Problems& problems) {
    const auto text =
        needed ? reader.required<std::string>(key) : reader.optional<std::string>(key);
    if (!text) return std::nullopt;
    const auto time = parse_time(*text);
    if (!time) problems.add(pointer_to(pointer, key), "must be like 2026-01-31T12:00:00Z");
    return time;
}

Token read_token(const Json& value, const std::string& pointer, Problems& problems) {
    ObjectReader reader(value, pointer, {"id", "sha256", "scopes", "created_at", "expires_at"},
                        problems);
    Token token;
    token.id = reader.required<std::string>("id").value_or("");
    token.sha256 = reader.required<std::string>("sha256").value_or("");
    token.scopes = reader
                       .required_list<std::string>("scopes", {.length_max = scopes_max},
                                                   {.length_min = 1, .length_max = scope_bytes_max})
                       .value_or(std::vector<std::string>{});
    token.created_at = time_at(reader, "created_at", true, pointer, problems).value_or(Time{});
    token.expires_at = time_at(reader, "expires_at", false, pointer, problems);
    if (!is_id(token.id)) {
        problems.add(pointer_to(pointer, "id"), "must be 1 to 64 of a-z, 0-9, '.', '_' and '-'");
    }
    if (token.sha256.size() != digest_digits ||
        token.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
        problems.add(pointer_to(pointer, "sha256"), "must be 64 digits of 0-9 and a-f");
    }
    for (const auto& scope : token.scopes) {
        // A scope that no tool needs is harmless, and an upgrade may have taken its tool away.
        if (!is_scope(scope)) problems.add(pointer_to(pointer, "scopes"), "has what is no scope");
    }
    return token;
}

}  // namespace

Result<std::vector<Token>> parse_tokens(std::string_view text) {
    const Json document = BERTH_TRY(parse_json(text));
    Problems problems;
    const ObjectReader reader(document, "", {"tokens"}, problems);
    const Json empty = Json::array();
    const Json& listed =
        document.is_object() && document.contains("tokens") ? document["tokens"] : empty;
    std::vector<Token> tokens;
    std::set<std::string> ids, digests;
    if (const Json* array = read_array(listed, "/tokens", {.length_max = tokens_max}, problems)) {
        for (std::size_t at = 0; at < array->size(); ++at) {
            const std::string pointer = pointer_to("/tokens", at);
            tokens.push_back(read_token((*array)[at], pointer, problems));
            if (!ids.insert(tokens.back().id).second) {
                problems.add(pointer_to(pointer, "id"), "appears twice");
            }
            if (!digests.insert(tokens.back().sha256).second) {
                problems.add(pointer_to(pointer, "sha256"), "appears twice");
            }
        }
    }
    if (!problems.empty()) return fail(problems.error());
    return tokens;
}

Json tokens_json(const std::vector<Token>& tokens) {
    Json listed = Json::array();
    for (const Token& token : tokens) {
        Json one{{"id", token.id},
                 {"sha256", token.sha256},
                 {"scopes", token.scopes},
                 {"created_at", to_rfc3339(token.created_at)}};
        if (token.expires_at) one["expires_at"] = to_rfc3339(*token.expires_at);
        listed.push_back(std::move(one));
    }
    return Json{{"tokens", std::move(listed)}};
}

TokenStore::TokenStore(std::filesystem::path path, const Clock& clock)
    // Write access for the group would be as good as every token; reading is for the group at most.
    : clock_(&clock), file_(std::move(path), {.forbidden_mode = 0027}, clock) {}

Result<> TokenStore::refresh() {
    auto changed = file_.changed();
    if (changed && !*changed) return {};
    auto tokens = changed ? parse_tokens(**changed) : fail(changed.error());
    if (!tokens) {
        tokens_.clear();
        file_.forget();
        return fail(std::move(tokens).error().in(file_.path().string()));
    }
    tokens_ = *std::move(tokens);
    return {};
}

Result<> TokenStore::ready() {
    const std::scoped_lock lock(mutex_);
    return refresh();
}

Result<Token> TokenStore::verify(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    // A missing file must not look like an unknown token: nobody can get in, and that is no fault
    // of the caller's.
    if (auto fresh = refresh(); !fresh) {
        Error error = std::move(fresh).error();
        error.code = ErrorCode::unavailable;
        return fail(std::move(error));
    }
    const std::string digest = sha256_hex(text);
    const Token* found = nullptr;
    for (const Token& token : tokens_) {
        // Every entry is compared, so that the time says nothing about where a match was.
        if (equal_in_constant_time(token.sha256, digest)) found = &token;
    }
    if (found == nullptr) return fail(ErrorCode::not_found, "no such token");
    if (found->expires_at && *found->expires_at <= clock_->wall()) {
        return fail(ErrorCode::not_found, fmt::format("the token '{}' has expired", found->id));
    }
    return *found;
}

}  // namespace berth::auth
