// SPDX-License-Identifier: Apache-2.0
// Bytes through a descriptor that somebody else has opened: a file, or a pipe or a socket (which is
// what sshd gives to a command) that may stand still for as long as its other end likes.
#pragma once

#include "base/fd.h"
#include "host/transfer/pax.h"

#include <cstdint>
#include <stop_token>

namespace berth::transfer {

class OpenFile {
public:
    enum class Use : std::uint8_t { read, write };

    /// invalid_argument, at /file, for what is none of these, or not open for that use.
    /// `descriptor` stays open meanwhile, and is its owner's to close.
    [[nodiscard]] static Result<OpenFile> of(int descriptor, Use use, std::stop_token cancelled);

    /// timed_out when it stands still for minutes, unavailable when its other end is gone.
    [[nodiscard]] Result<> write(std::string_view bytes);
    [[nodiscard]] Result<std::size_t> read(std::span<char> into);
    /// What was written to a file is on the disk when this returns.
    [[nodiscard]] Result<> sync();

    /// Whether what was read can be read again.
    [[nodiscard]] bool is_file() const { return kind_ == Kind::file; }
    /// How many bytes went through.
    [[nodiscard]] std::int64_t bytes() const { return bytes_; }

private:
    enum class Kind : std::uint8_t { file, pipe, socket };
    OpenFile(Kind kind, int descriptor, Fd pipe, std::stop_token cancelled)
        : kind_(kind),
          descriptor_(descriptor),
          pipe_(std::move(pipe)),
          cancelled_(std::move(cancelled)) {}
    [[nodiscard]] int end() const { return pipe_ ? pipe_.get() : descriptor_; }
    [[nodiscard]] Result<> wait_for(short events) const;

    Kind kind_;
    int descriptor_;
    Fd pipe_;  // the same pipe, opened again so that it never holds us up
    std::stop_token cancelled_;
    std::int64_t bytes_ = 0;
};

}  // namespace berth::transfer
