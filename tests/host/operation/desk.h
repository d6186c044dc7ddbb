// SPDX-License-Identifier: Apache-2.0
// Long work and repeated calls, with work that does what the test tells it to.
#pragma once

#include "host/operation/digest.h"
#include "host/operation/operations.h"
#include "host/operation/shapes.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <atomic>
#include <future>

namespace berth::operation {

inline ToolSpec tool(std::string_view name, bool long_running) {
    ToolSpec spec;
    spec.name = name;
    spec.long_running = long_running;
    return spec;
}

inline const ToolSpec long_tool = tool("container_create", true);
inline const ToolSpec short_tool = tool("port_add", false);

class SetClock final : public Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::time_point(std::chrono::hours(500'000)) + moved.load();
    }
    [[nodiscard]] std::chrono::steady_clock::time_point steady() const override { return {}; }
    std::atomic<std::chrono::seconds> moved{};
};

struct Desk {
    TemporaryDirectory directory = {};
    SetClock clock = {};
    events::Events events = {};
    std::unique_ptr<store::Database> database =
        store::Database::open(directory.path() / "berth.db").value();
    Options options = {.heartbeat = std::chrono::milliseconds(5),
                       .undo_wait = std::chrono::seconds(60)};
    std::unique_ptr<Operations> operations =
        std::make_unique<Operations>(*database, clock, events, options);

    Result<Json> run(const ToolSpec& tool, const CommonArguments& common, const Call& call,
                     Runner::Work work, const Json& arguments = {{"name", "ada"}}) const {
        return operations->run(tool, common, arguments, call, std::move(work));
    }
    void remake() {
        operations.reset();
        operations = std::make_unique<Operations>(*database, clock, events, options);
    }
};

inline Runner::Work answers(Json value) {
    return [value = std::move(value)](const Call&) -> Result<Json> { return value; };
}

/// Work that goes on until it is told to stop, and says then that it did.
inline Runner::Work until_stopped(std::atomic<int>* begun = nullptr) {
    return [begun](const Call& call) -> Result<Json> {
        std::promise<void> stopped;
        const std::stop_callback on_stop(call.cancelled, [&stopped] { stopped.set_value(); });
        if (begun != nullptr) begun->fetch_add(1);
        stopped.get_future().wait();
        return fail(ErrorCode::unavailable, "was cancelled");
    };
}

/// Work that ends when the test opens it; declared before the desk, whose work it has to outlive.
struct Gate {
    std::promise<void> promise = {};
    std::shared_future<void> opened = promise.get_future().share();
    void open() { promise.set_value(); }
    Runner::Work work(Json value) {
        return [this, value = std::move(value)](const Call&) -> Result<Json> {
            opened.wait();
            return value;
        };
    }
};

inline std::string id_of(const Result<Json>& answer) {
    return answer.value().at("operation").at("id").get<std::string>();
}

inline const Call me{.caller = "token:a"};

inline CommonArguments with_id(std::string request_id) {
    return {.request_id = std::move(request_id)};
}

}  // namespace berth::operation
