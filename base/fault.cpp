// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#ifdef BERTH_FAULTS
#include "base/files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

namespace berth::fault {
namespace {

constexpr std::size_t wish_bytes_max = 256;

std::filesystem::path& watched() {
    static std::filesystem::path file;
    return file;
}

}  // namespace

void watch(std::filesystem::path file) {
    watched() = std::move(file);
}

Result<> at(Point point) {
    if (watched().empty()) return {};
    const auto wish = read_file(watched(), wish_bytes_max);
    if (!wish) return {};
    const bool dies = *wish == fmt::format("{} kill", point.name());
    if (!dies && *wish != point.name()) return {};
    if (::unlink(watched().c_str()) != 0) return {};  // another thread was faster
    if (dies) (void)::kill(::getpid(), SIGKILL);
    return fail(ErrorCode::internal, fmt::format("made to fail at '{}'", point.name()));
}

}  // namespace berth::fault
#endif
