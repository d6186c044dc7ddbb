// SPDX-License-Identifier: Apache-2.0
#include "host/exec/agent_link.h"

#include "base/files.h"
#include "base/packets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

namespace berth::exec {
namespace {

constexpr std::string_view any_byte("\0", 1);  // the descriptors say all
constexpr int report_ms_max = 5'000;  // for a supervisor to tell that its command was killed

/// The request as a memfd; see agent_protocol.h.
Result<Fd> encode(const Launch& launch) {
    std::string bytes(sizeof(RequestHeader), '\0');
    const RequestHeader header{
        .strings = static_cast<std::uint32_t>(2 + launch.argv.size() + launch.environment.size()),
        .arguments = static_cast<std::uint32_t>(launch.argv.size()),
        .lasting = launch.lasting ? 1U : 0U};
    std::memcpy(bytes.data(), &header, sizeof(header));
    const auto put = [&bytes](const std::string& text) {
        bytes.append(text.c_str(), text.size() + 1);
    };
    put(launch.user);
    put(launch.directory);
    for (const auto& argument : launch.argv) {
        if (argument.contains('\0'))
            return fail(make_error(ErrorCode::invalid_argument, "an argument holds a NUL byte")
                            .at("/argv"));
        put(argument);
    }
    for (const auto& variable : launch.environment) put(variable);
    if (bytes.size() > request_bytes_max)
        return fail(
            make_error(
                ErrorCode::invalid_argument,
                fmt::format("arguments and environment have {} bytes; at most {} are possible",
                            bytes.size(), request_bytes_max))
                .at("/argv")
                .next("pass large data in stdin"));
    Fd request(::memfd_create("request", MFD_CLOEXEC));
    if (!request) return fail(system_error("make a request", errno));
    BERTH_TRY(write_all(request.get(), bytes));
    return request;
}

struct Received {
    Report report{};
    pid_t sender = 0;  // the kernel's word, not the sender's
};

bool becomes(short events, const Fd& socket, std::chrono::milliseconds time_max) {
    pollfd polled{socket.get(), events, 0};
    return ::poll(&polled, 1, static_cast<int>(time_max.count())) > 0;
}

/// One report, or nothing when the other end is closed or sent anything else.
std::optional<Received> receive(int reports) {
    const auto packet = receive_packet(reports, sizeof(Report));
    if (!packet || packet->bytes.size() != sizeof(Report)) return std::nullopt;
    Received received{.sender = packet->sender};
    std::memcpy(&received.report, packet->bytes.data(), sizeof(Report));
    return received;
}

Error start_error(const Report& report, const Launch& launch) {
    const std::string cause = std::generic_category().message(report.value);
    switch (report.stage) {
        case Stage::user:
            return make_error(ErrorCode::invalid_argument,
                              fmt::format("there is no user '{}' in the container", launch.user))
                .at("/user")
                .next("leave user out to run as root, or name one that there is");
        case Stage::directory:
            return make_error(
                       ErrorCode::invalid_argument,
                       fmt::format("cannot enter the directory '{}': {}", launch.directory, cause))
                .at("/cwd")
                .next("leave cwd out, or make the directory");
        case Stage::program:
            return make_error(ErrorCode::invalid_argument,
                              fmt::format("cannot run '{}': {}", launch.argv.front(), cause))
                .at("/argv/0")
                .next(
                    "name a program that the container has; for shell syntax use "
                    "[\"sh\",\"-c\",\"…\"]");
        case Stage::request:
        case Stage::identity:
        case Stage::process:
            break;
    }
    return make_error(ErrorCode::unavailable,
                      fmt::format("the container cannot start a process: {}", cause))
        .next("look at the container's process limit with container_get");
}

}  // namespace

Result<int> Running::exit_status() const {
    pollfd polled{reports_.get(), POLLIN, 0};
    if (::poll(&polled, 1, report_ms_max) <= 0)
        return fail(
            ErrorCode::unavailable,
            "the command's supervisor does not answer: the container is paused, or somebody in it "
            "has stopped it");
    const auto received = receive(reports_.get());
    if (!received || received->report.kind != ReportKind::exited)
        return fail(ErrorCode::unavailable,
                    "the command's supervisor was killed from inside the container, so how the "
                    "command ended is not known");
    return received->report.value;
}

Result<std::unique_ptr<AgentLink>> AgentLink::make(engine::ContainerEngine& engine,
                                                   const std::string& program,
                                                   std::chrono::milliseconds time_max) {
    Fd opened(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened) return fail(system_error(fmt::format("open berth's helper '{}'", program), errno));
    return std::unique_ptr<AgentLink>(new AgentLink(engine, std::move(opened), time_max));
}

std::shared_ptr<AgentLink::Link> AgentLink::link(std::string_view id) {
    const std::lock_guard lock(mutex_);
    auto& link = links_[std::string(id)];
    if (!link) link = std::make_shared<Link>();
    return link;
}

void AgentLink::forget(std::string_view id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = links_.find(id); found != links_.end()) links_.erase(found);
}

Result<Fd> AgentLink::send(std::string_view id, const Fd& request, const Streams& streams) {
    const auto link = this->link(id);
    auto reports = BERTH_TRY(packet_pair());
    constexpr int on = 1;
    if (::setsockopt(reports.ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
        return fail(system_error("ask for senders' credentials", errno));
    const std::array descriptors{request.get(), streams.input, streams.output, streams.errors,
                                 reports.theirs.get()};
    const std::lock_guard lock(link->mutex);
    // A socket that is writable takes a packet without a wait. One whose helper somebody inside has
    // stopped fills up, and is given up: the next command has a helper of its own.
    if (link->connection && !becomes(POLLOUT, link->connection, time_max_)) {
        link->connection.reset();
        return fail(make_error(ErrorCode::unavailable,
                               "berth's helper in the container takes no more commands; somebody "
                               "in the container has stopped it")
                        .next("call again, which starts another"));
    }
    if (link->connection && send_packet(link->connection.get(), any_byte, descriptors))
        return std::move(reports.ours);
    auto connection = BERTH_TRY(packet_pair());  // there was no helper, or it has ended
    BERTH_TRY(engine_.inject(id, program_, connection.theirs));
    connection.theirs.reset();
    if (!send_packet(connection.ours.get(), any_byte, descriptors))
        return fail(ErrorCode::unavailable, "berth's helper in the container ended at once");
    link->connection = std::move(connection.ours);
    return std::move(reports.ours);
}

Result<> AgentLink::await_end_of_hold(std::string_view id, const std::stop_token& cancelled) {
    if (engine_.holds().await_end(id, cancelled)) return {};
    if (cancelled.stop_requested())
        return fail(
            make_error(ErrorCode::unavailable, "the call was cancelled").next("call again"));
    return fail(make_error(ErrorCode::unavailable,
                           "the container was held still for a copy, and does not go on")
                    .next("call container_resume"));
}

Result<> AgentLink::await_report(std::string_view id, const Fd& reports,
                                 const std::stop_token& cancelled) {
    constexpr int looks = 10;  // whether the container is held still, which takes none of the time
    for (int left = looks; !becomes(POLLIN, reports, time_max_ / looks); --left) {
        if (engine_.holds().contains(id)) {
            BERTH_TRY(await_end_of_hold(id, cancelled));
            left = looks + 1;
        } else if (left <= 1) {
            return fail(ErrorCode::timed_out,
                        "the container did not start the command in time, and does not start it "
                        "later");
        }
    }
    return {};
}

Result<Running> AgentLink::launch(std::string_view id, const Launch& launch, const Streams& streams,
                                  const std::stop_token& cancelled) {
    const Fd request = BERTH_TRY(encode(launch));
    BERTH_TRY(await_end_of_hold(id, cancelled));
    Fd reports = BERTH_TRY(send(id, request, streams));
    BERTH_TRY(await_report(id, reports, cancelled));
    const auto received = receive(reports.get());
    if (!received)
        return fail(ErrorCode::unavailable,
                    "berth's helper in the container ended before it started the command");
    if (received->report.kind != ReportKind::started)
        return fail(start_error(received->report, launch));
    if (received->sender <= 1) {
        return fail(ErrorCode::internal, "the kernel did not say who started the command");
    }
    return Running(std::move(reports), received->sender);
}

}  // namespace berth::exec
