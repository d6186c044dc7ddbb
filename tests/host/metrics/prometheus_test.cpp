// SPDX-License-Identifier: Apache-2.0
#include "host/metrics/prometheus.h"

#include "host/metrics/scrape.h"
#include "tests/support/catch.h"
#include "tests/support/fake_host.h"
#include "tests/support/privilege.h"

#include <vector>

using namespace berth;
using namespace berth::metrics;

TEST_CASE("a container that runs has what it uses, and a stopped one its limits alone",
          "[metrics]") {
    const std::vector<container::Sample> samples{
        {.name = "ada",
         .id = "0123456789",
         .limits = {.memory_bytes = 1 << 26, .cpu_percent = 150, .processes = 100},
         .use = engine::RunningUse{.memory_bytes = 4096,
                                   .cpu_ms = 2500,
                                   .processes = 7,
                                   .received_bytes = 1,
                                   .sent_bytes = 2,
                                   .oom_kills = 3,
                                   .disk_read_bytes = 5,
                                   .pressure = engine::Pressure{.cpu_us = 1'500'000}}},
        {.name = "bob",
         .id = "abcdefabcd",
         .limits =
             {.memory_bytes = 1 << 27, .cpu_percent = 100, .processes = 50, .disk_bytes = 1 << 30},
         .disk = engine::DiskUse{.bytes = 8192}}};
    const auto text = to_prometheus(samples);
    for (const auto* line :
         {"# TYPE berth_container_cpu_seconds_total counter\n",
          "berth_container_running{name=\"ada\",id=\"0123456789\"} 1\n",
          "berth_container_running{name=\"bob\",id=\"abcdefabcd\"} 0\n",
          "berth_container_cpu_seconds_total{name=\"ada\",id=\"0123456789\"} 2.5\n",
          "berth_container_cpu_limit{name=\"ada\",id=\"0123456789\"} 1.5\n",
          "berth_container_memory_limit_bytes{name=\"ada\",id=\"0123456789\"} 67108864\n",
          "berth_container_oom_kills_total{name=\"ada\",id=\"0123456789\"} 3\n",
          "berth_container_network_bytes_total{name=\"ada\",id=\"0123456789\",direction=\"send\"} "
          "2\n",
          "berth_container_disk_io_bytes_total{name=\"ada\",id=\"0123456789\",direction=\"read\"} "
          "5\n",
          "berth_container_pressure_seconds_total{name=\"ada\",id=\"0123456789\",resource=\"cpu\"} "
          "1.5\n",
          "berth_container_disk_bytes{name=\"bob\",id=\"abcdefabcd\"} 8192\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
    CHECK(text.find("direction=\"write\"") == std::string::npos);  // not counted, so not told
    CHECK(text.find("berth_container_memory_bytes{name=\"bob\"") == std::string::npos);
    CHECK(text.find("disk_limit_bytes{name=\"ada\"") == std::string::npos);
}

TEST_CASE("however many scrape, containers are looked at once a second", "[metrics]") {
    if (!privileged()) return;
    FakeHost host;
    Scrape scrape(*host.containers, host.clock);
    const auto text = [&] { return scrape.answer({.path = "/metrics"}).body; };
    CHECK(text().find("name=\"ada\"") == std::string::npos);
    REQUIRE(host.containers->create(
        {.name = ContainerName::parse("ada").value(),
         .image = ImageName::parse("debian-12").value(),
         .limits = {.memory_bytes = 1 << 26, .cpu_percent = 100, .processes = 100},
         .ports = {},
         .ssh_keys = {}}));
    host.clock.advance(std::chrono::seconds(2));
    CHECK(text().find("name=\"ada\"") != std::string::npos);
    REQUIRE(host.containers->remove(ContainerName::parse("ada").value(), true));
    CHECK(text().find("name=\"ada\"") != std::string::npos);
    host.clock.advance(std::chrono::seconds(1));
    CHECK(text().find("name=\"ada\"") == std::string::npos);
    CHECK(scrape.answer({.method = "POST", .path = "/metrics"}).status == 405);
}
