// SPDX-License-Identifier: Apache-2.0
// What the contract's cases have in common.
#pragma once

#include "base/files.h"
#include "tests/host/engine/contract/contract.h"
#include "tests/support/catch.h"

#include <poll.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace berth::contract {

inline const std::vector<engine::SeedFile> seeds{
    {.path = "etc/hostname", .content = "contract\n"},
    {.path = "srv/made/note", .content = "hello\n", .mode = 0640}};

/// A container that is there for one case, whatever comes of it.
struct Guest {
    using Change = std::function<void(engine::Spec&)>;

    /// `change` says in what it is not as every other.
    explicit Guest(
        Subject& subject, const Change& change = [](engine::Spec&) {})
        : one(subject), spec(subject.spec(0)) {
        change(spec);
        const auto created = one.engine.create(spec, seeds);
        INFO((created ? "" : created.error().message));
        REQUIRE(created);
    }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    ~Guest() {
        (void)one.engine.destroy(spec.id);
        (void)remove_tree(copy);
    }
    void start_without_init() const {
        const auto started = one.engine.start(spec);
        INFO((started ? "" : started.error().message));
        REQUIRE(started);
    }
    void start() const {
        start_without_init();
        one.engine.begin(spec.id);
    }
    /// Whether a program inside answers so; or whether nobody can look into this engine's.
    [[nodiscard]] bool answers(const std::string& question, const std::string& wanted) const {
        const auto answer = one.ask(spec, question);
        UNSCOPED_INFO(question << " is answered by '" << (answer ? answer->text : "nobody") << "'");
        return !answer || answer->text == wanted;
    }
    /// The same for answers that are numbers: whether it is between those.
    [[nodiscard]] bool answers_from(const std::string& question, int least, int most) const {
        const auto answer = one.ask(spec, question);
        UNSCOPED_INFO(question << " is answered by '" << (answer ? answer->text : "nobody") << "'");
        if (!answer) return true;
        REQUIRE(answer->text.starts_with('='));
        const int number = std::stoi(answer->text.substr(1));
        return least <= number && number <= most;
    }

    Subject& one;
    engine::Spec spec;
    std::filesystem::path copy = one.scratch / ("copy-" + random_hex(4));
};

inline bool is_readable(const Fd& fd, int wait_ms = 0) {
    pollfd polled{fd.get(), POLLIN, 0};
    return ::poll(&polled, 1, wait_ms) == 1;
}

inline constexpr int a_while_ms = 10'000;

inline bool is_left(engine::ContainerEngine& engine, const std::string& id) {
    const auto left = engine.leftovers();
    REQUIRE(left);
    return std::ranges::find(*left, id) != left->end();
}

/// The engine of this program, or null.
inline engine::ContainerEngine* engine_here(Subject*& one) {
    one = subject();
    return one == nullptr ? nullptr : &one->engine;
}

}  // namespace berth::contract
