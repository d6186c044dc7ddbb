// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/tree_digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <span>
#include <utility>

namespace berth::transfer {

void TreeDigest::Free::operator()(evp_md_ctx_st* context) const noexcept {
    EVP_MD_CTX_free(context);
}

TreeDigest::TreeDigest() : context_(EVP_MD_CTX_new()) {
    (void)EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
}

void TreeDigest::add(std::string_view bytes) {
    (void)EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

void TreeDigest::number(std::int64_t value) {
    std::array<char, sizeof(value)> bytes{};
    auto rest = static_cast<std::uint64_t>(value);
    for (char& byte : bytes) {
        byte = static_cast<char>(rest & 0xff);
        rest >>= 8;
    }
    add({bytes.data(), bytes.size()});
}

void TreeDigest::text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    add(value);
}

void TreeDigest::end_run() {
    if (const auto end = std::exchange(run_end_, -1); end >= 0) number(end);
}

void TreeDigest::begin(const Entry& entry) {
    end_run();
    text(entry.path);
    number(std::to_underlying(entry.kind));
    for (const std::int64_t value :
         {static_cast<std::int64_t>(entry.mode), entry.uid, entry.gid, entry.modified.seconds,
          entry.modified.nanoseconds, entry.size})
        number(value);
    text(entry.target);
    number(static_cast<std::int64_t>(entry.attributes.size()));
    for (const auto& [name, value] : entry.attributes) {
        text(name);
        text(value);
    }
}

void TreeDigest::content(std::int64_t offset, std::string_view bytes) {
    if (offset != run_end_) {
        end_run();
        number(offset);
    }
    add(bytes);
    run_end_ = offset + static_cast<std::int64_t>(bytes.size());
}

std::string TreeDigest::finish() {
    end_run();
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    (void)EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string out;
    for (const auto byte : std::span(digest).first(size)) out += fmt::format("{:02x}", byte);
    return out;
}

}  // namespace berth::transfer
