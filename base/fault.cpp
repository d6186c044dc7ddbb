// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#ifdef BERTH_FAULTS
#include "base/fd.h"
#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>

namespace berth::fault {
namespace {

constexpr std::size_t wish_bytes_max = 256;

struct Watched {
    std::mutex mutex;
    std::filesystem::path file;
};

Watched& the_watched() {
    static Watched one;
    return one;
}

std::filesystem::path watched() {
    const std::lock_guard lock(the_watched().mutex);
    return the_watched().file;
}

bool wished(const std::string& wish) {
    const auto found = read_file(watched(), wish_bytes_max);
    return found && *found == wish;
}

/// The lock goes with whoever holds it, so that a test that died holds nothing for good.
void wait_for_lock() {
    const Fd file(::open(watched().c_str(), O_RDONLY | O_CLOEXEC));
    while (file && ::flock(file.get(), LOCK_SH) != 0 && errno == EINTR) {
    }
}

}  // namespace

void watch(std::filesystem::path file) {
    const std::lock_guard lock(the_watched().mutex);
    the_watched().file = std::move(file);
}

Result<> at(Point point) {
    if (watched().empty()) return {};
    if (wished(fmt::format("{} hold", point.name()))) wait_for_lock();
    const bool dies = wished(fmt::format("{} kill", point.name()));
    if (!dies && !wished(std::string(point.name()))) return {};
    if (::unlink(watched().c_str()) != 0) return {};  // another thread was faster
    if (dies) (void)::kill(::getpid(), SIGKILL);
    return fail(ErrorCode::internal, fmt::format("made to fail at '{}'", point.name()));
}

}  // namespace berth::fault
#endif
