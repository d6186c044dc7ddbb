// SPDX-License-Identifier: Apache-2.0
#include "tunnel/announce/announcer.h"

#include "base/http_server.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tools-schema/contract/json.h"

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::tunnel;
using namespace std::chrono_literals;

namespace {

/// A registry that takes anybody, and a host that registers with it.
struct Registered {
    TemporaryDirectory directory;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> requests;  // with their tokens
    std::uint64_t generation = 7;       // of whom it has
    bool answers = true;
    std::unique_ptr<HttpServer> server =
        HttpServer::listen(TcpEndpoint{.address = "127.0.0.1", .port = 0},
                           [this](const HttpRequest& request) { return answer(request); })
            .value();
    std::unique_ptr<Announcer> host;

    explicit Registered(std::chrono::milliseconds beat_every = 1h) {
        write_token("first");
        host =
            Announcer::start({.host = "127.0.0.1",
                              .port = server->port(),
                              .tls = false,
                              .token_file = directory.path() / "token",
                              .primary = {.pool = "lab", .hostname = "lab.test", .generation = 7},
                              .beat_every = beat_every},
                             [](const AnnouncerNews&) {})
                .value();
    }

    void write_token(const std::string& token) const {
        std::ofstream(directory.path() / "token") << token << "\n";
    }

    HttpResponse answer(const HttpRequest& request) {
        std::unique_lock lock(mutex);
        const std::string* const token = find_header(request.headers, "authorization");
        requests.push_back(request.method + " " + request.path + " " +
                           (token == nullptr ? "" : *token));
        changed.notify_all();
        changed.wait(lock, [&] { return answers || request.server_stopping.stop_requested(); });
        if (request.method == "DELETE") return {.status = 204};
        return json_response(200, to_text(Json{{"pool", "lab"}, {"generation", generation}}));
    }

    void wait_for(std::size_t count) {
        std::unique_lock lock(mutex);
        REQUIRE(changed.wait_for(lock, 10s, [&] { return requests.size() >= count; }));
    }
};

}  // namespace

TEST_CASE("a primary leaves the registry when it ends", "[announce]") {
    Registered one;
    one.wait_for(1);
    one.host.reset();
    CHECK(one.requests == std::vector<std::string>{"POST /sentinel/primaries Bearer first",
                                                   "PUT /sentinel/primaries/lab Bearer first",
                                                   "DELETE /sentinel/primaries/lab Bearer first"});
}

TEST_CASE("a primary that ends leaves what another host has registered meanwhile", "[announce]") {
    Registered one;
    one.wait_for(1);
    {
        const std::scoped_lock lock(one.mutex);
        one.generation = 8;
    }
    one.host.reset();
    CHECK(one.requests.back() == "PUT /sentinel/primaries/lab Bearer first");
}

TEST_CASE("a primary reads its token again for each request", "[announce]") {
    Registered one(1ms);
    one.wait_for(2);
    one.write_token("second");
    std::unique_lock lock(one.mutex);
    CHECK(one.changed.wait_for(lock, 10s, [&] {
        return one.requests.back() == "PUT /sentinel/primaries/lab Bearer second";
    }));
}

TEST_CASE("a primary ends although the registry does not answer", "[announce]") {
    Registered one;
    {
        const std::scoped_lock lock(one.mutex);
        one.answers = false;
    }
    one.wait_for(1);
    one.host.reset();
    const std::scoped_lock lock(one.mutex);
    CHECK_FALSE(one.requests.back().starts_with("DELETE"));
    one.answers = true;
    one.changed.notify_all();
}
