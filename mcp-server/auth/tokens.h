// SPDX-License-Identifier: Apache-2.0
// Bearer tokens that an operator gives out by hand. At rest there is only the SHA-256 of each: 256
// random bits need no slower hash, and whoever reads the file can use none of them.
#pragma once

#include "base/clock.h"
#include "mcp-server/auth/watched_file.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/contract/result.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

inline constexpr const char* default_tokens_path = "/etc/berth/tokens.json";
inline constexpr std::size_t tokens_max = 1'000;
inline constexpr std::string_view token_prefix = "berth_";
/// Behind the prefix: 32 random bytes in base64url.
inline constexpr std::size_t token_random_bytes = 32;
inline constexpr std::size_t token_text_bytes = 6 + 43;

struct Token {
    std::string id;      // "ci": 1 to 64 of a-z, 0-9, '.', '_' and '-'
    std::string sha256;  // of the token's text, in hexadecimal
    std::vector<std::string> scopes;
    std::chrono::system_clock::time_point created_at;
    std::optional<std::chrono::system_clock::time_point> expires_at = {};
};

/// Reads {"tokens":[{"id","sha256","scopes","created_at","expires_at"?}]}, strictly.
[[nodiscard]] Result<std::vector<Token>> parse_tokens(std::string_view text);
[[nodiscard]] Json tokens_json(const std::vector<Token>& tokens);

/// The tokens in a file, as the file is now. Safe from many threads.
class TokenStore {
public:
    TokenStore(std::filesystem::path path, const Clock& clock);

    /// An error when the file cannot be used as it is: for the start of a server.
    [[nodiscard]] Result<> ready();

    /// The token of that text. not_found for one that is not there or has expired; any other error
    /// means that the file cannot be used, and then nobody gets in.
    [[nodiscard]] Result<Token> verify(std::string_view text);

private:
    [[nodiscard]] Result<> refresh();

    const Clock* clock_;
    std::mutex mutex_;
    WatchedFile file_;
    std::vector<Token> tokens_;
};

/// For the command line: changes the file as a whole, one process at a time.
struct NewToken {
    std::string id;
    std::vector<std::string> scopes;
    std::optional<std::chrono::days> good_for = {};
    std::string group = {};  // a file that is made is readable for it; "" or unknown: for no group
};

/// The token's text, which nothing can show again. already_exists for an id that is taken.
[[nodiscard]] Result<std::string> add_token(const std::filesystem::path& path,
                                            const NewToken& token, const Clock& clock);
[[nodiscard]] Result<> remove_token(const std::filesystem::path& path, std::string_view id);
/// Nothing, when there is no such file.
[[nodiscard]] Result<std::vector<Token>> list_tokens(const std::filesystem::path& path);

}  // namespace berth::auth
