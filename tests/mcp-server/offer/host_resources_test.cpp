// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/offer/host_resources.h"

#include "tests/mcp-server/offer/told_host.h"
#include "tests/support/catch.h"

#include <fmt/format.h>

using namespace berth;
using namespace berth::mcp;

namespace {

const std::string one_id = "wn_" + std::string(26, '1');
const std::string other_id = "wn_" + std::string(26, '2');

std::vector<std::string> uris_of(const ResourcePage& page) {
    std::vector<std::string> uris;
    for (const Json& resource : page.resources) uris.push_back(resource["uri"]);
    return uris;
}

Json content_of(const DataAnswer& answer) {
    if (!answer || !std::holds_alternative<Json>(*answer)) return {};
    return std::get<Json>(*answer).at("contents").at(0);
}

std::vector<std::string> many_names(int count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back(fmt::format("c{:04}", i));
    return names;
}

}  // namespace

TEST_CASE("the host, its warnings, and each container with its log are listed") {
    ToldHost host;
    host.has_containers({"ada", "bob"});
    HostResources resources(host);
    const auto page = resources.list(std::nullopt, plain_request());
    REQUIRE(page);
    CHECK(uris_of(*page) == std::vector<std::string>{"host://system", "host://gpus",
                                                     "warning://host", "container://ada",
                                                     "log://ada", "container://bob", "log://bob"});
    CHECK_FALSE(page->next_cursor);
    for (const Json& resource : page->resources) {
        for (const auto* key : {"name", "title", "description", "mimeType"}) {
            CHECK_FALSE(resource.at(key).get<std::string>().empty());
        }
    }
}

TEST_CASE("pages of resources have at most a hundred entries and together have all of them") {
    ToldHost host;
    const auto count = GENERATE(0, 1, 47, 48, 49, 50, 98, 99, 500);
    host.has_containers(many_names(count));
    HostResources resources(host);
    std::vector<std::string> uris;
    std::optional<std::string> cursor;
    do {
        const auto page = resources.list(cursor, plain_request());
        REQUIRE(page);
        CHECK(page->resources.size() <= 100);
        CHECK_FALSE((cursor && page->resources.empty()));
        for (const auto& uri : uris_of(*page)) uris.push_back(uri);
        cursor = page->next_cursor;
    } while (cursor);
    CHECK(uris.size() == static_cast<std::size_t>(3 + 2 * count));
    std::ranges::sort(uris);
    CHECK(std::ranges::adjacent_find(uris) == uris.end());
}

TEST_CASE("a cursor that was never given out is refused") {
    ToldHost host;
    host.has_containers({"ada"});
    HostResources resources(host);
    const std::string cursor =
        GENERATE("", "ada", "!", "YWZ0ZXI6", "YWZ0ZXI6QURB", "YWZ0ZXI6YWRhA");
    CHECK(fault_code(resources.list(cursor, plain_request())) == -32602);
    CHECK(host.invoked().empty());
}

TEST_CASE("without berthd the list still shows where to read what is wrong") {
    ToldHost host;
    host.down = true;
    HostResources resources(host);
    const auto page = resources.list(std::nullopt, plain_request());
    REQUIRE(page);
    CHECK(uris_of(*page) ==
          std::vector<std::string>{"host://system", "host://gpus", "warning://host"});
    CHECK_FALSE(page->next_cursor);

    SECTION("but a list that has begun fails, because it would look complete") {
        host.down = false;
        host.has_containers(many_names(100));
        const auto begun = resources.list(std::nullopt, plain_request());
        REQUIRE((begun && begun->next_cursor));
        host.down = true;
        CHECK(error_of(resources.list(begun->next_cursor, plain_request())).code ==
              ErrorCode::unavailable);
    }
    SECTION("and the warnings say that berthd does not answer") {
        const auto warnings = Json::parse(
            content_of(resources.read(warning_uri, plain_request()))["text"].get<std::string>());
        REQUIRE(warnings.size() == 1);
        CHECK(warnings[0]["type"] == "host_unreachable");
        CHECK(warnings[0]["severity"] == "error");
        CHECK(warnings[0]["message"] == "berthd: nothing listens");
        CHECK(warnings[0]["next"] == "start berthd");
    }
    SECTION("and every other resource fails with what to do") {
        const std::string uri =
            GENERATE("host://system", "host://gpus", "container://ada", "log://ada");
        const auto error = error_of(resources.read(uri, plain_request()));
        CHECK(error.code == ErrorCode::unavailable);
        CHECK(error.hint == "start berthd");
    }
}

TEST_CASE("reading a resource gives what the tool of its kind answers") {
    ToldHost host;
    host.has_containers({"ada"});
    host.gives("system_info", {{"version", "1"}, {"features", Json::array()}});
    host.gives("container_logs",
               {{"container", "ada"}, {"lines", {"one", "two"}}, {"truncated", false}});
    HostResources resources(host);

    const Json system = content_of(resources.read("host://system", plain_request()));
    CHECK(system["uri"] == "host://system");
    CHECK(system["mimeType"] == "application/json");
    CHECK(Json::parse(system["text"].get<std::string>())["version"] == "1");

    const Json container = content_of(resources.read("container://ada", plain_request()));
    CHECK(container["uri"] == "container://ada");
    CHECK(Json::parse(container["text"].get<std::string>())["name"] == "ada");
    CHECK(host.invoked().back().arguments["response_format"] == "detailed");

    const Json log = content_of(resources.read("log://ada", plain_request()));
    CHECK(log["mimeType"] == "text/plain");
    CHECK(log["text"] == "one\ntwo\n");
    CHECK(host.invoked().back().arguments["container"] == "ada");
    host.gives("container_logs", {{"lines", {"two"}}, {"truncated", true}});
    const Json cut = content_of(resources.read("log://ada", plain_request()));
    CHECK(cut["text"].get<std::string>().starts_with("[older lines"));

    host.has_warnings(Json::array());
    CHECK(Json::parse(content_of(resources.read("warning://host", plain_request()))["text"]
                          .get<std::string>()) == Json::array());
}

TEST_CASE("what is no resource is not found, and no name reaches berthd unchecked") {
    ToldHost host;
    host.has_containers({"ada"});
    HostResources resources(host);
    const std::string uri =
        GENERATE("", "host://", "host://other", "warning://", "warning://hosts", "warning://wn_1",
                 "container://", "container://../etc", "container://Ada", "log://a/b",
                 "container:ada", "http://ada", "container://ada ");
    const auto error = error_of(resources.read(uri, plain_request()));
    CHECK(error.code == ErrorCode::not_found);
    CHECK_FALSE(error.hint.empty());
    CHECK_FALSE(resources.can_watch(uri));
    CHECK(host.invoked().empty());
}

TEST_CASE("a container that is not there is not found") {
    ToldHost host;
    host.has_containers({"ada"});
    HostResources resources(host);
    CHECK(error_of(resources.read("container://bob", plain_request())).code ==
          ErrorCode::not_found);
    CHECK(resources.can_watch("container://bob"));  // it may come
}

TEST_CASE("the warnings of the host are those of warning_list that are not over") {
    ToldHost host;
    host.has_warnings({{{"id", one_id}, {"status", "new"}, {"entity", "host"}},
                       {{"id", other_id}, {"status", "resolved"}, {"entity", "host"}}});
    HostResources resources(host);
    const auto read = Json::parse(
        content_of(resources.read("warning://host", plain_request()))["text"].get<std::string>());
    REQUIRE(read.size() == 1);
    CHECK(read[0]["id"] == one_id);
    CHECK(host.invoked().back().arguments["response_format"] == "detailed");
    CHECK(host.invoked().back().arguments["acknowledged"] == false);
}

TEST_CASE("one warning is read by its id, whatever its status") {
    ToldHost host;
    host.has_warnings(
        {{{"id", one_id}, {"status", "acknowledged"}}, {{"id", other_id}, {"status", "resolved"}}});
    HostResources resources(host);
    const std::string id = GENERATE(one_id, other_id);
    const Json content = content_of(resources.read("warning://" + id, plain_request()));
    CHECK(content["mimeType"] == "application/json");
    CHECK(Json::parse(content["text"].get<std::string>())["id"] == id);
    CHECK(resources.can_watch("warning://" + id));

    const auto gone = "warning://wn_" + std::string(26, '9');
    CHECK(error_of(resources.read(gone, plain_request())).code == ErrorCode::not_found);
    CHECK(resources.can_watch(gone));
    host.down = true;
    CHECK(error_of(resources.read("warning://" + id, plain_request())).code ==
          ErrorCode::unavailable);
}

TEST_CASE("a client reads and lists only what it may also call") {
    ToldHost host;
    host.has_containers({"ada"});
    host.gives("system_info", {{"features", Json::array()}});
    HostResources resources(host);
    Asked asked = plain_request();

    asked.client.tools = only({"system_info"});
    auto page = resources.list(std::nullopt, asked);
    REQUIRE(page);
    CHECK(uris_of(*page) == std::vector<std::string>{"host://system", "warning://host"});
    host.has_warnings(Json::array());
    CHECK(resources.read("warning://host", asked));
    for (const auto* uri : {"container://ada", "log://ada"}) {
        CHECK(error_of(resources.read(uri, asked)).code == ErrorCode::denied);
    }

    asked.client.tools = only({"gpu_list"});
    CHECK(uris_of(*resources.list(std::nullopt, asked)) == std::vector<std::string>{"host://gpus"});
    host.gives("gpu_list", {{"gpus", Json::array()}, {"total", 0}});
    CHECK(content_of(resources.read("host://gpus", asked))["text"] == R"({"gpus":[],"total":0})");

    asked.client.tools = only({"warning_list"});
    CHECK(uris_of(*resources.list(std::nullopt, asked)) ==
          std::vector<std::string>{"warning://host"});

    asked.client.tools = only({"container_list"});
    page = resources.list(std::nullopt, asked);
    REQUIRE(page);
    CHECK(uris_of(*page) == std::vector<std::string>{"container://ada", "log://ada"});
    for (const auto& uri : std::vector<std::string>{"host://system", "host://gpus",
                                                    "warning://host", "warning://" + one_id}) {
        CHECK(error_of(resources.read(uri, asked)).code == ErrorCode::denied);
    }
}

TEST_CASE("the templates name each kind of resource that has a name") {
    ToldHost host;
    const HostResources resources(host);
    REQUIRE(resources.templates().size() == 3);
    CHECK(resources.templates()[0]["uriTemplate"] == "container://{name}");
    CHECK(resources.templates()[1]["uriTemplate"] == "log://{name}");
    CHECK(resources.templates()[2]["uriTemplate"] == "warning://{id}");
}
