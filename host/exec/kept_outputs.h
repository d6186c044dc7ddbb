// SPDX-License-Identifier: Apache-2.0
// What commands wrote and no answer could hold, kept so that it can be read later, byte for byte.
// Each output is a file in its container's own directory, and goes with the container.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace berth::exec {

struct KeptLimits {
    std::int64_t output_bytes_max = std::int64_t{1} << 30;  // of one stream; the rest is counted
    std::int64_t all_bytes_max = std::int64_t{4} << 30;     // then the oldest go
};

class KeptOutputs {
public:
    /// `containers` holds a directory for each container, named by its id.
    explicit KeptOutputs(std::filesystem::path containers, KeptLimits limits = {})
        : containers_(std::move(containers)), limits_(limits) {}

    /// One output, while it grows.
    class Growing {
    public:
        /// Nothing is kept of what comes after a failed write, or after the limit.
        void add(std::string_view bytes);
        [[nodiscard]] const std::string& id() const { return id_; }
        [[nodiscard]] std::int64_t bytes() const { return bytes_; }

    private:
        friend class KeptOutputs;
        Growing(const KeptOutputs& all, Fd file, std::string id)
            : all_(&all), file_(std::move(file)), id_(std::move(id)) {}
        const KeptOutputs* all_;
        Fd file_;  // closed when no more is kept
        std::string id_;
        std::int64_t bytes_ = 0;
    };
    /// not_found when the container's directory is gone; otherwise the system's error.
    [[nodiscard]] Result<Growing> begin(std::string_view container) const;

    struct Part {
        std::string bytes;
        std::int64_t total = 0;  // of the whole output, as kept
    };
    /// At most `bytes_max` bytes from `offset` on. not_found when there is no such output (any
    /// more), invalid_argument when `offset` is behind its end.
    [[nodiscard]] Result<Part> read(std::string_view container, std::string_view id,
                                    std::int64_t offset, std::size_t bytes_max) const;

private:
    [[nodiscard]] std::filesystem::path directory(std::string_view container) const;
    void make_room() const;

    std::filesystem::path containers_;
    KeptLimits limits_;
};

}  // namespace berth::exec
