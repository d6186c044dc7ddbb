// SPDX-License-Identifier: Apache-2.0
// Many hosts in one process, each with a tunnel of its own: `tunnels_back_load COUNT SENTINEL_PORT
// SERVICE_PORT AUTHORITY TOKEN_FILE` says when all are joined, and again when all are after they
// were lost. Driven by tests/bench/tunnels_back.py.
#include "base/socket_address.h"
#include "tunnel/carry/dialer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace berth;
using namespace berth::tunnel;

struct Tally {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t joined = 0, failed = 0;
};

/// Seconds of the clock that every process of this machine has.
double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

DialerOptions options_of(std::size_t number, std::span<const char* const> words) {
    const auto target = SocketAddress::parse(fmt::format("127.0.0.1:{}", words[3]));
    return {.host = "127.0.0.1",
            .port = static_cast<std::uint16_t>(std::stoi(words[2])),
            .server_name = "front.test",
            .authorities = words[4],
            .token_file = words[5],
            .hello = {.pool = "bench",
                      .host = fmt::format("host-{}", number),
                      .port = 443,
                      .hostname = fmt::format("host-{}.test", number)},
            .targets = {{443, target.value()}}};
}

/// Waits until so many have joined since the start, and says when.
void tell_when(Tally& tally, std::size_t joined) {
    std::unique_lock lock(tally.mutex);
    tally.changed.wait(lock, [&] { return tally.joined >= joined; });
    fmt::print("{:.6f} {}\n", now(), tally.failed);
    (void)std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    if (words.size() != 6) return EXIT_FAILURE;
    const auto count = static_cast<std::size_t>(std::stoul(words[1]));
    Tally tally;
    std::vector<std::unique_ptr<Dialer>> dialers;
    for (std::size_t number = 0; number < count; ++number) {
        auto dialer = Dialer::start(options_of(number, words), [&tally](const DialerNews& news) {
            const std::scoped_lock lock(tally.mutex);
            if (news.kind == DialerNews::Kind::joined) ++tally.joined;
            if (news.kind == DialerNews::Kind::failed) ++tally.failed;
            tally.changed.notify_one();
        });
        if (!dialer) {
            fmt::print(stderr, "{}\n", dialer.error().message);
            return EXIT_FAILURE;
        }
        dialers.push_back(*std::move(dialer));
    }
    for (std::size_t round = 1;; ++round) {
        tell_when(tally, round * count);
        if (std::getchar() == EOF) std::_Exit(EXIT_SUCCESS);  // nobody needs 500 goodbyes
    }
}
