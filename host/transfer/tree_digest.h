// SPDX-License-Identifier: Apache-2.0
// SHA-256 over entries as they are, and not over the bytes that say so: whoever writes a stream and
// whoever has read it come to the same, or something was lost between them.
#pragma once

#include "host/transfer/entry.h"

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace berth::transfer {

class TreeDigest {
public:
    TreeDigest();
    /// An entry, and then its content in order; pieces that touch each other are one.
    void begin(const Entry& entry);
    void content(std::int64_t offset, std::string_view bytes);
    /// Bytes that are no entry.
    void add(std::string_view bytes);
    /// Of all there was, in hexadecimal. Once.
    [[nodiscard]] std::string finish();

private:
    void number(std::int64_t value);
    void text(std::string_view value);
    void end_run();

    struct Free {
        void operator()(evp_md_ctx_st* context) const noexcept;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
    std::int64_t run_end_ = -1;  // of the piece that is being taken; -1: none
};

}  // namespace berth::transfer
