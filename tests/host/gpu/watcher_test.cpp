// SPDX-License-Identifier: Apache-2.0
// GPUs that come and go while berthd runs, by the kernel's own words.
#include "host/gpu/watcher.h"

#include "host/gpu/uevent.h"
#include "tests/host/gpu/made_up_machines.h"
#include "tests/support/catch.h"
#include "tests/support/network_namespace.h"
#include "tests/support/privilege.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>

using namespace berth;
using namespace berth::gpu;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

/// As a kernel sends it.
std::string message(std::string_view action, std::string_view path, std::string_view subsystem,
                    std::string_view more = "") {
    std::string text = fmt::format("{0}@{1}|ACTION={0}|DEVPATH={1}|SUBSYSTEM={2}|{3}SEQNUM=4711|",
                                   action, path, subsystem, more);
    std::ranges::replace(text, '|', '\0');
    return text;
}

std::string pci(std::string_view action, std::string_view address) {
    return message(action, fmt::format("/devices/pci0000:40/{}", address), "pci",
                   "PCI_CLASS=30200|PCI_ID=10DE:2330|");
}

/// A watcher whose kernel is a socket of ours.
class Watched {
public:
    explicit Watched(const Sysfs& machine) {
        std::array<int, 2> pair{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
        kernel_ = Fd(pair[1]);
        subscription_ = events_.subscribe([this](const Json& event) {
            if (event["kind"] != "gpu") return;
            const std::lock_guard lock(mutex_);
            heard_.push_back(fmt::format("{} {}", event["change"].get<std::string>(),
                                         event["address"].get<std::string>()));
            filled_.notify_all();
        });
        watcher_ = std::make_unique<Watcher>(Fd(pair[0]), machine.roots(), events_, warnings_);
    }
    void say(const std::string& text) const {
        REQUIRE(::send(kernel_.get(), text.data(), text.size(), 0) ==
                static_cast<ssize_t>(text.size()));
    }
    /// What was heard once there is that much of it, or time is up.
    std::vector<std::string> heard(std::size_t count) {
        std::unique_lock lock(mutex_);
        (void)filled_.wait_for(lock, 10s, [&] { return heard_.size() >= count; });
        return std::exchange(heard_, {});
    }
    /// "TYPE STATUS ENTITY" of all warnings.
    std::vector<std::string> warnings() {
        std::vector<std::string> all;
        const auto page = warnings_.list({.acknowledged = true, .limit = 100}).value();
        for (const auto& row : page.warnings)
            all.push_back(fmt::format("{}{} {}", row.type,
                                      row.status == store::WarningStatus::resolved ? " (over)" : "",
                                      row.entity));
        std::ranges::sort(all);
        return all;
    }

private:
    TemporaryDirectory directory_;
    SystemClock clock_;
    events::Events events_;
    std::unique_ptr<store::Database> database_ =
        store::Database::open(directory_.path() / "db").value();
    warning::Warnings warnings_{*database_, clock_, events_};
    Fd kernel_;
    std::mutex mutex_;
    std::condition_variable filled_;
    std::vector<std::string> heard_;
    std::unique_ptr<EventSubscription> subscription_;
    std::unique_ptr<Watcher> watcher_;
};

}  // namespace

TEST_CASE("a message of the kernel is read, and others are not", "[gpu]") {
    const auto event = parse_uevent(pci("remove", "0000:41:00.0")).value();
    CHECK(event.action == "remove");
    CHECK(event.path == "/devices/pci0000:40/0000:41:00.0");
    CHECK(event.subsystem == "pci");
    CHECK(event.pci_class == "30200");
    for (const auto& bytes :
         {""s, "add@/devices/x"s, "libudev\0\xfe\xed\xca\xfe"s, "@/devices/x\0"s,
          "add@devices\0A=b\0"s, "no at sign\0"s, std::string(4096, '\0')})
        CHECK_FALSE(parse_uevent(bytes));
}

TEST_CASE("only what may be about a GPU or its driver is a reason to look", "[gpu]") {
    const auto concern = [](const std::string& text) {
        return concerns_gpus(parse_uevent(text).value());
    };
    CHECK(concern(pci("remove", "0000:41:00.0")));
    CHECK(concern(message("add", "/devices/x", "pci", "PCI_CLASS=120000|")));
    CHECK(concern(message("add", "/devices/x/drm/card0", "drm")));
    CHECK(concern(message("remove", "/module/nvidia", "module")));
    CHECK_FALSE(concern(message("add", "/devices/x", "pci", "PCI_CLASS=20000|")));
    CHECK_FALSE(concern(message("add", "/devices/x", "pci", "PCI_CLASS=3|")));
    CHECK_FALSE(concern(message("add", "/devices/x", "net")));
    CHECK_FALSE(concern(message("remove", "/module/nvidia_not", "module")));
}

TEST_CASE("a GPU that goes is a warning until it is back, and both are told", "[gpu]") {
    const auto machine = made_up::four_nvidia();
    Watched watched(*machine);
    machine->remove("bus/pci/devices/0000:41:00.0");
    watched.say(pci("remove", "0000:41:00.0"));
    CHECK(watched.heard(1) == std::vector<std::string>{"removed 0000:41:00.0"});
    CHECK(watched.warnings() == std::vector<std::string>{"gpu_gone gpu/0000:41:00.0"});

    machine->add({.address = "0000:41:00.0",
                  .pci_class = made_up::three_d,
                  .vendor = made_up::nvidia,
                  .device = 0x2330,
                  .driver = "nvidia"});
    watched.say(pci("add", "0000:41:00.0"));
    CHECK(watched.heard(1) == std::vector<std::string>{"added 0000:41:00.0"});
    CHECK(watched.warnings() == std::vector<std::string>{"gpu_gone (over) gpu/0000:41:00.0"});
}

TEST_CASE("a driver that lets go is a warning until it is back", "[gpu]") {
    const auto machine = made_up::four_nvidia();
    Watched watched(*machine);
    machine->bind("0000:41:00.0", "");
    watched.say(pci("unbind", "0000:41:00.0"));
    CHECK(watched.heard(1) == std::vector<std::string>{"changed 0000:41:00.0"});
    CHECK(watched.warnings() == std::vector<std::string>{"gpu_driver_lost gpu/0000:41:00.0"});
    machine->bind("0000:41:00.0", "nvidia");
    watched.say(pci("bind", "0000:41:00.0"));
    CHECK(watched.heard(1) == std::vector<std::string>{"changed 0000:41:00.0"});
    CHECK(watched.warnings() ==
          std::vector<std::string>{"gpu_driver_lost (over) gpu/0000:41:00.0"});
}

TEST_CASE("a driver that is loaded anew between two looks is told of all the same", "[gpu]") {
    const auto machine = made_up::vfio();
    Watched watched(*machine);
    watched.say(message("remove", "/module/nvidia", "module"));
    watched.say(message("add", "/module/nvidia", "module"));
    CHECK(watched.heard(1) == std::vector<std::string>{"changed 0001:0b:00.0"});
    CHECK(watched.warnings() ==
          std::vector<std::string>{"gpu_driver_lost (over) gpu/0001:0b:00.0"});
}

TEST_CASE("a burst of messages is one look, and what changes nothing is not told", "[gpu]") {
    const auto machine = made_up::two_amd();
    Watched watched(*machine);
    for (int count = 0; count < 200; ++count)
        watched.say(message("change", "/devices/x/drm/card0", "drm"));
    machine->remove("bus/pci/devices/0000:e3:00.0/drm");
    watched.say("no message at all");
    watched.say(message("remove", "/devices/x/drm/card1", "drm"));
    CHECK(watched.heard(1) == std::vector<std::string>{"changed 0000:e3:00.0"});
    CHECK(watched.warnings().empty());
}

TEST_CASE("the kernel's own socket brings what it is told to send, in this network alone",
          "[gpu]") {
    if (!privileged()) return;
    CHECK(in_network_namespace([] {
        auto listener = open_uevents();
        if (!listener) return false;
        // Root may have the kernel say something in a network that it owns.
        const Fd speaker(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
        sockaddr_nl kernel{};
        kernel.nl_family = AF_NETLINK;
        const auto text = pci("remove", "0000:41:00.0");
        std::vector<char> bytes(NLMSG_SPACE(text.size()));
        nlmsghdr header{};
        header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(text.size()));
        header.nlmsg_type = NLMSG_MIN_TYPE;  // below are messages about messages
        header.nlmsg_flags = NLM_F_REQUEST;
        std::memcpy(bytes.data(), &header, sizeof(header));
        std::memcpy(bytes.data() + NLMSG_HDRLEN, text.data(), text.size());
        if (::sendto(speaker.get(), bytes.data(), bytes.size(), 0,
                     reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) < 0)
            return false;
        std::array<char, 4096> buffer{};
        sockaddr_nl sender{};
        socklen_t length = sizeof(sender);
        const auto got = ::recvfrom(listener->get(), buffer.data(), buffer.size(), 0,
                                    reinterpret_cast<sockaddr*>(&sender), &length);
        if (got < 0) return false;
        const auto event = parse_uevent({buffer.data(), static_cast<std::size_t>(got)});
        return event && event->action == "remove" && concerns_gpus(*event) && sender.nl_pid == 0;
    }));
}
