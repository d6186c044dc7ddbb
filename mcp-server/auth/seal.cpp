// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/auth/seal.h"

#include "base/files.h"
#include "mcp-server/auth/crypto.h"
#include "mcp-server/auth/watched_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace berth::auth {
namespace {

constexpr std::string_view version = "v1.";
constexpr std::size_t key_file_bytes_max = 1024;

std::unexpected<Error> foreign() {
    return fail(ErrorCode::invalid_argument, std::string(seal_is_foreign));
}

std::int64_t seconds_of(std::chrono::system_clock::time_point time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// Each part behind its length, so that no two lists of parts look the same.
void append_part(std::string& text, std::string_view part) {
    text += fmt::format("{}:", part.size());
    text += part;
}

Result<SealKey> read_key(const std::filesystem::path& path) {
    constexpr mode_t others = 0077;
    auto text = BERTH_TRY(
        read_trusted_file(path, {.bytes_max = key_file_bytes_max, .forbidden_mode = others}));
    if (text.ends_with('\n')) text.pop_back();
    auto bytes = decode_base64url(text);
    auto key = bytes ? SealKey::of(*std::move(bytes)) : fail(bytes.error());
    if (!key) {
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("'{}' holds no key of at least {} bytes in base64url",
                                           path.string(), seal_key_bytes_min))
                        .next("remove it, and a new one is made"));
    }
    return key;
}

/// Makes the file whole or not at all, and leaves alone one that another process was quicker with.
Result<> make_key(const std::filesystem::path& path) {
    BERTH_TRY(make_directories(path.parent_path(), 0700));
    const std::filesystem::path temporary = path.string() + ".new-" + random_hex(4);
    BERTH_TRY(write_file_atomically(temporary, encode_base64url(SealKey::random().bytes()) + "\n",
                                    {.mode = 0600}));
    const int linked = ::link(temporary.c_str(), path.c_str());
    const int why = errno;
    (void)::unlink(temporary.c_str());
    if (linked != 0 && why != EEXIST) {
        return fail(system_error(fmt::format("make '{}'", path.string()), why));
    }
    return {};
}

}  // namespace

Result<SealKey> SealKey::of(std::string bytes) {
    if (bytes.size() < seal_key_bytes_min) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("a key of {} bytes; it needs at least {}", bytes.size(),
                                seal_key_bytes_min));
    }
    return SealKey(std::move(bytes));
}

SealKey SealKey::random() {
    return SealKey(random_bytes(seal_key_bytes_min));
}

Result<SealKey> load_or_make_key(const std::filesystem::path& path) {
    auto key = read_key(path);
    if (key || key.error().code != ErrorCode::not_found) return key;
    BERTH_TRY(make_key(path));
    return read_key(path);
}

std::string Seals::signature_of(std::string_view content, const SealFor& bound) const {
    std::string text = "berth seal ";
    for (const std::string_view part :
         {content, std::string_view(bound.purpose), std::string_view(bound.principal),
          std::string_view(bound.about)}) {
        append_part(text, part);
    }
    return hmac_sha256(key_.bytes(), text);
}

std::string Seals::seal(const Json& payload, std::chrono::seconds good_for,
                        const SealFor& bound) const {
    const Json whole{{"e", seconds_of(clock_->wall() + good_for)}, {"p", payload}};
    const std::string content = std::string(version) + encode_base64url(to_text(whole));
    return content + "." + encode_base64url(signature_of(content, bound));
}

Result<Json> Seals::open(std::string_view text, const SealFor& bound) const {
    const std::size_t dot = text.rfind('.');
    if (text.size() > sealed_bytes_max || !text.starts_with(version) || dot < version.size()) {
        return foreign();
    }
    const std::string_view content = text.substr(0, dot);
    const auto signature = decode_base64url(text.substr(dot + 1));
    if (!signature || !equal_in_constant_time(*signature, signature_of(content, bound))) {
        return foreign();
    }
    // From here on the text is our own; whatever is still wrong with it was made by another
    // version.
    const auto bytes = decode_base64url(content.substr(version.size()));
    auto whole = bytes ? parse_json(*bytes, sealed_bytes_max) : fail(bytes.error());
    if (!whole || !whole->is_object() || !whole->contains("p") || !whole->contains("e") ||
        !(*whole)["e"].is_number_integer()) {
        return foreign();
    }
    if ((*whole)["e"].get<std::int64_t>() <= seconds_of(clock_->wall())) {
        return fail(ErrorCode::invalid_argument, std::string(seal_has_expired));
    }
    return std::move((*whole)["p"]);
}

bool SpentOnce::spend(std::string_view nonce, std::chrono::system_clock::time_point expires) {
    const auto now = clock_->wall();
    if (expires <= now) return false;
    const std::scoped_lock lock(mutex_);
    if (spent_.size() >= spent_nonces_max) {
        std::erase_if(spent_, [now](const auto& one) { return one.second <= now; });
        if (spent_.size() >= spent_nonces_max) return false;
    }
    return spent_.emplace(nonce, expires).second;
}

}  // namespace berth::auth
