// SPDX-License-Identifier: Apache-2.0
#include "base/fault.h"

#ifdef BERTH_FAULTS
#include "base/files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace berth::fault {
namespace {

constexpr std::size_t wish_bytes_max = 256;
constexpr auto hold_max = std::chrono::seconds(30);  // a test that died holds nothing for good
constexpr auto hold_look = std::chrono::milliseconds(1);

std::filesystem::path& watched() {
    static std::filesystem::path file;
    return file;
}

bool wished(const std::string& wish) {
    const auto found = read_file(watched(), wish_bytes_max);
    return found && *found == wish;
}

void hold_while_wished(const std::string& wish) {
    const auto until = std::chrono::steady_clock::now() + hold_max;
    while (wished(wish) && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(hold_look);
}

}  // namespace

void watch(std::filesystem::path file) {
    watched() = std::move(file);
}

Result<> at(Point point) {
    if (watched().empty()) return {};
    hold_while_wished(fmt::format("{} hold", point.name()));
    const bool dies = wished(fmt::format("{} kill", point.name()));
    if (!dies && !wished(std::string(point.name()))) return {};
    if (::unlink(watched().c_str()) != 0) return {};  // another thread was faster
    if (dies) (void)::kill(::getpid(), SIGKILL);
    return fail(ErrorCode::internal, fmt::format("made to fail at '{}'", point.name()));
}

}  // namespace berth::fault
#endif
