// SPDX-License-Identifier: Apache-2.0
// Events over a real unix socket.
#include "base/http_client.h"
#include "base/http_server.h"
#include "mcp-server/jsonrpc/event_endpoint.h"
#include "mcp-server/jsonrpc/rpc_client.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <semaphore>
#include <thread>

using namespace berth;

namespace {

/// Tells what the test says to whoever follows.
class Events final : public EventSource {
public:
    std::unique_ptr<EventSubscription> subscribe(
        std::function<void(const Json&)> on_event) override {
        const std::scoped_lock lock(mutex_);
        followers_.emplace(next_, std::move(on_event));
        changed_.notify_all();
        return std::make_unique<Subscription>(*this, next_++);
    }
    void tell(const Json& event) {
        const std::scoped_lock lock(mutex_);
        for (const auto& [id, on_event] : followers_) on_event(event);
    }
    void wait_for_followers(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return followers_.size() == count; });
    }

private:
    struct Subscription final : EventSubscription {
        Subscription(Events& of, int number) : events(of), id(number) {}
        ~Subscription() override {
            const std::scoped_lock lock(events.mutex_);
            events.followers_.erase(id);
            events.changed_.notify_all();
        }
        Events& events;
        int id;
    };
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<int, std::function<void(const Json&)>> followers_;
    int next_ = 0;
};

struct Fixture {
    TemporaryDirectory directory;
    std::string path = directory.path() / "berthd.sock";
    Events events;
    std::unique_ptr<HttpServer> server;

    void serve(const EventLimits& limits = {}) {
        auto made = HttpServer::listen(UnixEndpoint{.path = path},
                                       [this, limits](const HttpRequest& request) {
                                           return answer_events(request, events, limits);
                                       });
        REQUIRE(made);
        server = *std::move(made);
    }
};

void ignore(const Json&) {}

}  // namespace

TEST_CASE("a follower hears every event from the moment it is told that it follows") {
    Fixture here;
    here.serve({.queue_max = 1000});
    std::stop_source stop;
    std::vector<int> heard;
    int opened = 0;
    std::jthread teller;
    const auto result = follow_events(
        here.path, stop.get_token(),
        [&](const Json& event) {
            heard.push_back(event["number"].get<int>());
            if (heard.size() == 1000) stop.request_stop();
        },
        [&] {
            ++opened;
            teller = std::jthread([&] {
                for (int number = 0; number < 1000; ++number) {
                    here.events.tell({{"number", number}});
                }
            });
        });
    CHECK(result);
    CHECK(opened == 1);
    REQUIRE(heard.size() == 1000);
    CHECK(std::ranges::is_sorted(heard));
    here.events.wait_for_followers(0);
}

TEST_CASE("a follower that falls behind is cut off") {
    Fixture here;
    here.serve({.queue_max = 16});
    std::binary_semaphore told{0};
    std::jthread teller;
    std::size_t heard = 0;
    const auto result = follow_events(
        here.path, {},
        [&](const Json&) {
            if (heard++ == 0) told.acquire();  // while it is busy, much happens
        },
        [&] {
            teller = std::jthread([&] {
                const Json event = {{"text", std::string(100'000, 'x')}};
                for (int number = 0; number < 100; ++number) here.events.tell(event);
                told.release();
            });
        });
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::unavailable);
    CHECK(heard < 100);
    here.events.wait_for_followers(0);
}

TEST_CASE("silence is broken by empty lines") {
    Fixture here;
    here.serve({.keep_alive = std::chrono::milliseconds(1)});
    HttpClient client(here.path);
    std::string seen;
    REQUIRE(client.send({.path = "/events"}, {.on_body = [&](std::string_view piece) {
                            seen += piece;
                            return seen.size() < 5;
                        }}));
    CHECK(seen == std::string(seen.size(), '\n'));
}

TEST_CASE("following ends when asked, when the server stops, and when nobody is there") {
    Fixture here;
    here.serve();
    std::stop_source stop;
    SECTION("asked") {
        std::jthread asker([&] {
            here.events.wait_for_followers(1);
            stop.request_stop();
        });
        CHECK(follow_events(here.path, stop.get_token(), ignore));
        here.events.wait_for_followers(0);
    }
    SECTION("stopped") {
        std::jthread stopper([&] {
            here.events.wait_for_followers(1);
            here.server.reset();
        });
        const auto result = follow_events(here.path, stop.get_token(), ignore);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::unavailable);
    }
    SECTION("nobody there") {
        here.server.reset();
        const auto result = follow_events(here.path, stop.get_token(), ignore);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::unavailable);
        CHECK(result.error().hint.contains("systemctl start berthd"));
    }
}

TEST_CASE("what tells no events is said so") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() / "berthd.sock";
    const auto [status, body] = GENERATE(table<int, std::string>(
        {{404, "{}"}, {200, "nonsense\n"}, {200, "7\n"}, {200, std::string(2'000'000, 'x')}}));
    const auto server = HttpServer::listen(UnixEndpoint{.path = path}, [&](const HttpRequest&) {
        return json_response(status, body);
    });
    REQUIRE(server);
    const auto result = follow_events(path, {}, ignore);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::internal);
}

TEST_CASE("events are asked for with GET, at their place and on a connection") {
    Events events;
    CHECK(answer_events({.path = "/other"}, events).status == 404);
    CHECK(answer_events({.path = "/events"}, events).status == 501);
    const auto refused = answer_events({.method = "POST", .path = "/events"}, events);
    CHECK(refused.status == 405);
    CHECK(*find_header(refused.headers, "allow") == "GET");
}
