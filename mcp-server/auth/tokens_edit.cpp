// SPDX-License-Identifier: Apache-2.0
// Changes a file of tokens from the command line.
#include "base/fd.h"
#include "base/files.h"
#include "mcp-server/auth/crypto.h"
#include "mcp-server/auth/scopes.h"
#include "mcp-server/auth/tokens.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace berth::auth {
namespace {

constexpr mode_t forbidden_mode = 0027;

/// Held while the file is read and written, so that two commands do not undo each other. It is a
/// file of its own, because the other is replaced.
Result<Fd> lock_beside(const std::filesystem::path& path) {
    const std::string lock = path.string() + ".lock";
    Fd fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd || ::flock(fd.get(), LOCK_EX) != 0) {
        return fail(system_error(fmt::format("lock '{}'", lock), errno));
    }
    return fd;
}

/// The group's id; nothing when there is no such group or it is not ours to give to.
std::optional<gid_t> group_id(const std::string& name) {
    if (name.empty() || ::geteuid() != 0) return std::nullopt;
    std::vector<char> buffer(65536);
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return std::nullopt;
    }
    return entry.gr_gid;
}

/// As the file is now; a new one is for its owner, and to read for the group.
WriteOptions options_for(const std::filesystem::path& path, const std::string& group_of_new) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0) {
        return {.mode = status.st_mode & 0777 & ~forbidden_mode,
                .owner = status.st_uid,
                .group = status.st_gid};
    }
    const auto group = group_id(group_of_new);
    return group ? WriteOptions{.mode = 0640, .group = *group} : WriteOptions{.mode = 0600};
}

Result<> write_tokens(const std::filesystem::path& path, const std::vector<Token>& tokens,
                      const WriteOptions& options) {
    const std::string text = to_pretty_text(tokens_json(tokens)) + "\n";
    BERTH_TRY(parse_tokens(text));  // what the server would refuse is not written
    return write_file_atomically(path, text, options);
}

}  // namespace

Result<std::vector<Token>> list_tokens(const std::filesystem::path& path) {
    auto text = read_trusted_file(path, {.forbidden_mode = forbidden_mode});
    if (!text && text.error().code == ErrorCode::not_found) return std::vector<Token>{};
    if (!text) return fail(std::move(text).error());
    auto tokens = parse_tokens(*text);
    if (!tokens) return fail(std::move(tokens).error().in(path.string()));
    return tokens;
}

Result<std::string> add_token(const std::filesystem::path& path, const NewToken& token,
                              const Clock& clock) {
    const Fd lock = BERTH_TRY(lock_beside(path));
    auto tokens = BERTH_TRY(list_tokens(path));
    if (std::ranges::find(tokens, token.id, &Token::id) != tokens.end()) {
        return fail(make_error(ErrorCode::already_exists,
                               fmt::format("there is a token '{}' already", token.id))
                        .next("remove it first, or choose another name"));
    }
    if (token.scopes.empty()) {
        return fail(ErrorCode::invalid_argument, "a token needs at least one scope");
    }
    for (const auto& scope : token.scopes) BERTH_TRY(check_scope(scope));
    const std::string text =
        std::string(token_prefix) + encode_base64url(random_bytes(token_random_bytes));
    const auto now = clock.wall();
    tokens.push_back(
        {.id = token.id,
         .sha256 = sha256_hex(text),
         .scopes = token.scopes,
         .created_at = now,
         .expires_at = token.good_for ? std::optional(now + *token.good_for) : std::nullopt});
    BERTH_TRY(write_tokens(path, tokens, options_for(path, token.group)));
    return text;
}

Result<> remove_token(const std::filesystem::path& path, std::string_view id) {
    const Fd lock = BERTH_TRY(lock_beside(path));
    auto tokens = BERTH_TRY(list_tokens(path));
    if (std::erase_if(tokens, [id](const Token& token) { return token.id == id; }) == 0) {
        return fail(make_error(ErrorCode::not_found, fmt::format("there is no token '{}'", id))
                        .next("berth-mcp token list shows them"));
    }
    return write_tokens(path, tokens, options_for(path, ""));
}

}  // namespace berth::auth
