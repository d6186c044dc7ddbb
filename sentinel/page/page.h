// SPDX-License-Identifier: Apache-2.0
// What is said for one pool while it is away, and the certificate that it is said under. Border of
// OpenSSL, with visit.cpp.
#pragma once

#include "tools-schema/contract/result.h"

#include <openssl/ssl.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace berth::sentinel {

constexpr std::size_t page_bytes_max = std::size_t{64} * 1024;

class Page {
public:
    /// Reads `certificate.pem` (with its chain), `key.pem` and `page.html` of a directory.
    [[nodiscard]] static Result<std::shared_ptr<Page>> load(const std::filesystem::path& directory);

    [[nodiscard]] SSL_CTX* context() const { return context_.get(); }
    /// The whole answer of HTTP/1.1, with status 503, and without its body for HEAD.
    [[nodiscard]] std::string answer(bool with_body) const;

    /// How many clients are spoken to, so that one pool does not take the places of others.
    [[nodiscard]] std::size_t guests() const { return guests_; }

private:
    friend class PagePlace;
    struct FreeContext {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    std::unique_ptr<SSL_CTX, FreeContext> context_;
    std::string html_;
    std::atomic<std::size_t> guests_ = 0;
};

/// One client's place among a page's guests, for as long as it lives.
class PagePlace {
public:
    explicit PagePlace(std::shared_ptr<Page> page) : page_(std::move(page)) { ++page_->guests_; }
    PagePlace(PagePlace&&) = default;
    PagePlace& operator=(PagePlace&&) = delete;
    ~PagePlace() {
        if (page_) --page_->guests_;
    }
    [[nodiscard]] const Page& page() const { return *page_; }

private:
    std::shared_ptr<Page> page_;
};

}  // namespace berth::sentinel
