// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/backend_watch.h"

#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::mcp;

namespace {

/// What the subscriber heard: "list_changed", a URI, or "task ID STATUS".
class Heard {
public:
    void add(const std::string& text) {
        const Json message = Json::parse(text);
        const Json params = message.value("params", Json::object());
        std::string what = message["method"].get<std::string>();
        if (params.contains("uri")) what = params["uri"];
        if (params.contains("taskId")) {
            what = "task " + params["taskId"].get<std::string>() + " " +
                   params["status"].get<std::string>();
        }
        const std::scoped_lock lock(mutex_);
        all_.push_back(what);
        changed_.notify_all();
    }
    /// Waits until it was heard for the `times`th time.
    void wait_for(const std::string& what, long times = 1) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return std::ranges::count(all_, what) >= times; });
    }
    [[nodiscard]] long count(const std::string& what) const {
        const std::scoped_lock lock(mutex_);
        return std::ranges::count(all_, what);
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> all_;
};

constexpr const char* list_changed = "notifications/resources/list_changed";
constexpr Backoff at_once{.first = std::chrono::milliseconds(0),
                          .longest = std::chrono::milliseconds(0)};

/// Blocks as a connection does on which nothing happens.
void until(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, stop, [] { return false; });
}

struct Fixture {
    ToldHost host;
    Hub hub;
    Heard heard;
    std::unique_ptr<Hub::Subscription> subscription =
        hub.subscribe({.resources = true,
                       .uris = {"host://system", "host://gpus", "warning://host", "warning://wn_1",
                                "container://ada", "log://ada", "container://bob"},
                       .tasks = {"op_1"}},
                      std::nullopt, [this](const std::string& message) { heard.add(message); });

    BackendWatch watch(BackendWatch::Follow follow) {
        return {std::move(follow), host, hub, at_once};
    }
    /// One connection on which these events arrive and that then stays.
    static BackendWatch::Follow events(std::vector<Json> all) {
        return [all = std::move(all)](const std::stop_token& stop, const auto& on_connected,
                                      const auto& on_event) {
            on_connected();
            for (const Json& event : all) on_event(event);
            until(stop);
        };
    }
};

}  // namespace

TEST_CASE("a new connection tells everybody to look for themselves") {
    Fixture test;
    test.host.has_containers({"ada"});
    const auto watch = test.watch(Fixture::events({}));
    test.heard.wait_for(list_changed);
    test.heard.wait_for("host://system");
    test.heard.wait_for("warning://host");
    test.heard.wait_for("container://ada");
    test.heard.wait_for("log://ada");
    CHECK(test.heard.count("container://bob") == 0);
}

TEST_CASE("a change of a container is an update of it, and of the list when it comes or goes") {
    Fixture test;
    const auto change = GENERATE(table<std::string, long>(
        {{"created", 2}, {"deleted", 2}, {"started", 1}, {"stopped", 1}, {"changed", 1}}));
    const auto watch = test.watch(
        Fixture::events({{{"kind", "container"}, {"name", "bob"}, {"change", std::get<0>(change)}},
                         {{"kind", "container"}, {"name", "ada"}, {"change", "started"}}}));
    test.heard.wait_for("container://bob");
    test.heard.wait_for("log://ada");
    CHECK(test.heard.count(list_changed) == std::get<1>(change));  // once for the connection
}

TEST_CASE("a change of an operation is told with the task as it is then") {
    Fixture test;
    test.host.gives("operation_get", {{"id", "op_1"}, {"status", "completed"}});
    const auto watch = test.watch(
        Fixture::events({{{"kind", "operation"}, {"id", "op_1"}, {"status", "completed"}}}));
    test.heard.wait_for("task op_1 completed");
}

TEST_CASE("a GPU that comes, goes or changes is an update of their list") {
    Fixture test;
    const auto watch = test.watch(
        Fixture::events({{{"kind", "gpu"}, {"address", "0000:41:00.0"}, {"change", "removed"}}}));
    test.heard.wait_for("host://gpus", 2);  // the first is the connection's
}

TEST_CASE("a change of a warning is an update of it, of all of them, and of the host") {
    Fixture test;
    const auto watch =
        test.watch(Fixture::events({{{"kind", "warning"}, {"id", "wn_1"}, {"change", "raised"}}}));
    test.heard.wait_for("warning://wn_1");
    test.heard.wait_for("warning://host", 2);  // the first is the connection's
    test.heard.wait_for("host://system", 2);
}

TEST_CASE("events that berthd gave up count as a change of everything") {
    Fixture test;
    test.host.has_warnings({{{"id", "wn_1"}}});
    const auto watch = test.watch(Fixture::events({{{"kind", "missed"}}}));
    test.heard.wait_for(list_changed, 2);
    test.heard.wait_for("warning://wn_1", 2);
}

TEST_CASE("events that say nothing it knows change nothing") {
    Fixture test;
    const auto watch = test.watch(
        Fixture::events({nullptr,
                         7,
                         Json::object(),
                         {{"kind", "weather"}},
                         {{"kind", "operation"}, {"id", "op_1"}},
                         {{"kind", "container"}, {"name", "ada"}, {"change", "started"}}}));
    test.heard.wait_for("log://ada");
    CHECK(test.heard.count(list_changed) == 1);
    CHECK(test.heard.count("container://ada") == 1);
}

TEST_CASE("it tries until berthd is there, and again when it goes away") {
    Fixture test;
    std::atomic<int> tries = 0;
    const auto watch =
        test.watch([&](const std::stop_token& stop, const auto& on_connected, const auto&) {
            const int now = ++tries;
            if (now <= 3) return;  // nobody listens
            on_connected();
            if (now >= 6) until(stop);
        });
    test.heard.wait_for(list_changed, 3);
    // Each connection says so, and so does each end of one.
    test.heard.wait_for("warning://host", 5);
    CHECK(tries == 6);
}

TEST_CASE("it ends while berthd is away and while it is there") {
    Fixture test;
    const bool there = GENERATE(true, false);
    std::atomic<bool> began = false;
    {
        const BackendWatch watch(
            [&](const std::stop_token& stop, const auto& on_connected, const auto&) {
                if (there) on_connected();
                began = true;
                began.notify_all();
                if (there) until(stop);
            },
            test.host, test.hub, {.first = std::chrono::hours(1)});
        began.wait(false);
    }
    SUCCEED();
}
