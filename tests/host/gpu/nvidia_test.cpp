// SPDX-License-Identifier: Apache-2.0
// What NVIDIA's driver and tool write, read as it is and as it must not be.
#include "host/gpu/nvidia.h"

#include "host/gpu/nvidia_smi.h"
#include "tests/support/catch.h"

using namespace berth;
using namespace berth::gpu;

TEST_CASE("a GPU's information names its minor number, UUID and model", "[gpu]") {
    const auto facts = nvidia::facts_in(
        "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 178\n"
        "GPU UUID: \t GPU-00000001-1111-2222-3333-000000000001\nVideo BIOS: \t 95.02.3c.40.c1\n"
        "Bus Location: \t 0000:01:00.0\nDevice Minor: \t 3\nGPU Excluded:\t No\n");
    CHECK(facts.minor == 3);
    CHECK(facts.model == "NVIDIA GeForce RTX 4090");
    CHECK(facts.uuid == "GPU-00000001-1111-2222-3333-000000000001");
}

TEST_CASE("what the driver does not say is nothing, never a guess", "[gpu]") {
    CHECK_FALSE(nvidia::facts_in(
                    "GPU UUID: \t "
                    "GPU-\?\?\?\?\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?\?\?\?\?\?\?\?\?\n")
                    .uuid);
    CHECK(nvidia::facts_in("") == NvidiaFacts{});
    for (const auto* text : {"Device Minor: \t -1\n", "Device Minor: \t 99999999999999999999\n",
                             "Device Minor: \t 3x\n", "Device Minor:\n", "Device Minor 3\n"})
        CHECK_FALSE(nvidia::facts_in(text).minor);
}

TEST_CASE("the module's version stands among words, whichever module it is", "[gpu]") {
    CHECK(nvidia::version_in(
              "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 "
              "22:20:39 UTC 2023\nGCC version:  gcc version 12.2.0 (Debian)\n") == "535.54.03");
    CHECK(nvidia::version_in("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  515.43.04  "
                             "Release Build  (a@b)\n") == "515.43.04");
    CHECK_FALSE(nvidia::version_in("NVRM version: NVIDIA\n"));
    CHECK_FALSE(nvidia::version_in("GCC version: gcc version 12.2.0\n"));
}

TEST_CASE("a capability has a minor number and a mode in decimal", "[gpu]") {
    const auto capability =
        nvidia::capability_in("DeviceFileMinor: 12\nDeviceFileMode: 292\nDeviceFileModify: 1\n");
    REQUIRE(capability);
    CHECK(capability->minor == 12);
    CHECK(capability->mode == 0444);
    CHECK_FALSE(nvidia::capability_in("DeviceFileMinor: 12\n"));
    CHECK_FALSE(nvidia::capability_in("DeviceFileMinor: -12\nDeviceFileMode: 292\n"));
    CHECK_FALSE(nvidia::capability_in("DeviceFileMinor: 12\nDeviceFileMode: 99999\n"));
}

TEST_CASE("major numbers are those of character devices", "[gpu]") {
    constexpr std::string_view devices =
        "Character devices:\n  1 mem\n195 nvidia-frontend\n509 nvidia-uvm\n\nBlock devices:\n"
        "  8 sd\n";
    CHECK(nvidia::major_in(devices, "mem") == 1);
    CHECK(nvidia::major_in(devices, "nvidia-uvm") == 509);
    CHECK_FALSE(nvidia::major_in(devices, "nvidia"));
    CHECK_FALSE(nvidia::major_in(devices, "sd"));
    CHECK_FALSE(nvidia::major_in("", "mem"));
}

TEST_CASE("NVIDIA's tool tells memory, persistence and errors", "[gpu]") {
    const auto reports = parse_smi(
        "00000000:0B:00.0, 24564, Disabled, [N/A]\n00000001:41:00.0, 81559, Enabled, 2\n"
        "No devices were found\n00010000:41:00.0, 1, Enabled, 0\n0000:41:00.0, 1, Enabled, 0\n"
        "00000000:C1:00.0, [N/A], [N/A], -1\n00000000:C2:00.0, 99999999999999999, ");
    REQUIRE(reports.size() == 4);
    CHECK(reports[0] == SmiReport{.address = PciAddress::parse("0000:0b:00.0").value(),
                                  .memory_bytes = 24564LL << 20,
                                  .persistence = false});
    CHECK(reports[1] == SmiReport{.address = PciAddress::parse("0001:41:00.0").value(),
                                  .memory_bytes = 81559LL << 20,
                                  .persistence = true,
                                  .uncorrected_errors = 2});
    CHECK(reports[2] == SmiReport{.address = PciAddress::parse("0000:c1:00.0").value()});
    CHECK(reports[3] == SmiReport{.address = PciAddress::parse("0000:c2:00.0").value()});
}

TEST_CASE("without NVIDIA's tool that is what is said", "[gpu]") {
    CHECK(ask_nvidia_smi("/nonexistent/nvidia-smi").error().code == ErrorCode::not_found);
    CHECK(ask_nvidia_smi("/bin/false").error().code == ErrorCode::unavailable);
}

TEST_CASE("a real NVIDIA GPU is told of by its real tool", "[gpu]") {
    if (!std::filesystem::exists("/proc/driver/nvidia/version")) {
        WARN("not run: this machine has no NVIDIA GPU");
        return;
    }
    const auto reports = ask_nvidia_smi("/usr/bin/nvidia-smi");
    REQUIRE(reports);
    CHECK_FALSE(reports->empty());
}
