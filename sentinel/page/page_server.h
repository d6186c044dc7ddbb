// SPDX-License-Identifier: Apache-2.0
// Speaks for pools that are away, on a thread of its own and behind all others: what handshakes
// cost is not taken from connections of pools that are well.
#pragma once

#include "base/deadline_list.h"
#include "sentinel/page/visit.h"
#include "sentinel/relay/away.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace berth::sentinel {

class PageServer final : public Away {
public:
    static constexpr std::size_t guests_per_pool_max = 64;
    static constexpr std::int64_t visit_ms_max = 10'000;
    /// Reads in one turn, so that nobody who keeps talking keeps the thread from the others.
    static constexpr int reads_per_turn = 16;

    /// Directories by the names of their pools.
    using Directories = std::map<std::string, std::filesystem::path, std::less<>>;

    [[nodiscard]] static Result<std::unique_ptr<PageServer>> start(Directories directories);
    ~PageServer() override;

    /// Reads all pages again, with their certificates; on an error those there are stay.
    [[nodiscard]] Result<> reload();
    [[nodiscard]] bool take(std::string_view pool, Fd& client, std::string_view said) override;

private:
    struct Arrival {
        Fd socket;
        PagePlace place;
        std::string said;
    };
    struct Guest : Timed {
        Guest(Fd client, PagePlace place) : socket(std::move(client)), visit(std::move(place)) {}
        Fd socket;
        Visit visit;
        std::string output = {};  // that its socket did not take yet
        bool shut = false;
    };

    explicit PageServer(Directories directories) : directories_(std::move(directories)) {}
    void run();
    void welcome_new();
    [[nodiscard]] bool watch(const Guest& guest, bool again = false) const;
    [[nodiscard]] bool serve(Guest& guest);
    [[nodiscard]] bool send_output(Guest& guest);

    const Directories directories_;
    std::mutex mutex_;  // of the next three
    std::map<std::string, std::shared_ptr<Page>, std::less<>> pages_;
    std::vector<Arrival> arrived_;
    bool stopping_ = false;
    Fd epoll_, wake_;
    std::map<int, std::unique_ptr<Guest>> guests_;  // by descriptor; of the thread alone
    DeadlineList deadlines_ = DeadlineList(visit_ms_max);
    std::thread thread_;
};

}  // namespace berth::sentinel
