// SPDX-License-Identifier: Apache-2.0
#include "host/tools/host_tools.h"
#include "host/tools/journal.h"
#include "host/tools/previews.h"
#include "host/tools/shapes.h"
#include "tools/tools.h"

#include <fmt/format.h>

#include <algorithm>

namespace berth::tools {
namespace {

bool has_labels(const std::vector<Label>& labels, const std::vector<Label>& wanted) {
    return std::ranges::all_of(wanted, [&labels](const Label& label) {
        return std::ranges::find(labels, label) != labels.end();
    });
}

Result<ContainerList::Output> list(container::ContainerService& containers,
                                   const ContainerList::Input& in) {
    ContainerList::Output out{.containers = {}, .total = 0};
    for (const auto& view : BERTH_TRY(containers.list())) {
        auto summary = to_summary(view);
        if (in.state && summary.state != *in.state) continue;
        if (!has_labels(summary.labels, in.label)) continue;
        ++out.total;
        const bool wanted = !in.after || summary.name > *in.after;
        if (wanted && static_cast<std::int64_t>(out.containers.size()) < in.limit)
            out.containers.push_back(std::move(summary));
    }
    return out;
}

/// What the agent refused, with the look inside that tells what there is instead.
Error exec_error(Error error, const ContainerExec::Input& in) {
    const auto look = [&](Json argv) {
        return std::move(error).call(
            "container_exec", {{"container", in.container.to_string()}, {"argv", std::move(argv)}});
    };
    if (error.field == "/user") return look({"getent", "passwd"});
    if (error.field == "/cwd") return look({"mkdir", "-p", in.cwd->to_string()});
    return error;
}

Result<ContainerExec::Output> run(container::ContainerService& containers,
                                  const ContainerExec::Input& in, const Call& call) {
    exec::Request request{.launch = {.argv = in.argv, .user = in.user.to_string()},
                          .input = in.stdin.value_or(""),
                          .timeout = std::chrono::seconds(in.timeout_seconds),
                          .output_bytes_max = static_cast<std::size_t>(in.output_bytes_max)};
    if (in.cwd) request.launch.directory = in.cwd->to_string();
    for (const auto& variable : in.env) request.launch.environment.push_back(variable.to_string());
    const auto ran = containers.run(in.container, request, call.cancelled);
    if (!ran) return fail(exec_error(ran.error(), in));
    const auto& outcome = *ran;
    return ContainerExec::Output{.exit_code = outcome.exit_code,
                                 .signal = outcome.signal,
                                 .timed_out = outcome.timed_out,
                                 .duration_ms = outcome.duration.count(),
                                 .stdout = to_stream(outcome.output),
                                 .stderr = to_stream(outcome.errors)};
}

/// Text where the part is text, cut between two characters, and base64 otherwise.
Result<OutputRead::Output> read(container::ContainerService& containers,
                                const OutputRead::Input& in) {
    auto found = containers.read_output(in.container, in.output_id, in.offset,
                                        static_cast<std::size_t>(in.bytes_max));
    if (!found && found.error().field == "/offset") {
        return fail(std::move(found).error().call(
            "output_read",
            {{"container", in.container.to_string()}, {"output_id", in.output_id.to_string()}}));
    }
    auto part = BERTH_TRY(std::move(found));
    const auto next = [&] { return in.offset + static_cast<std::int64_t>(part.bytes.size()); };
    std::string_view bytes = part.bytes;
    if (next() < part.total) bytes.remove_suffix(exec::unfinished_bytes(bytes));
    bool lossy = false;
    OutputRead::Output out{.content = exec::to_utf8(bytes, lossy),
                           .encoding = OutputRead::Output::Encoding::utf_8,
                           .bytes = 0,
                           .next_offset = {},
                           .total_bytes = part.total};
    if (lossy) {
        out.content = encode_base64(part.bytes);
        out.encoding = OutputRead::Output::Encoding::base64;
    } else {
        part.bytes.resize(bytes.size());
    }
    out.bytes = static_cast<std::int64_t>(part.bytes.size());
    if (next() < part.total) out.next_offset = next();
    return out;
}

/// What a call may answer (DESIGN: 32 KiB of text), with room for the rest of the answer.
constexpr std::size_t journal_bytes_max = std::size_t{28} * 1024;
constexpr std::size_t journal_line_bytes_max = 4096;
constexpr std::chrono::seconds journal_time_max{20};

Error journal_error(Error error, const ContainerName& name) {
    if (error.field != "/argv/0") return error;
    return make_error(ErrorCode::unsupported,
                      fmt::format("container '{}' has no journalctl", name.to_string()))
        .at("/container")
        .next("read its log files instead")
        .call("container_exec", {{"container", name.to_string()}, {"argv", {"ls", "/var/log"}}});
}

Result<ContainerLogs::Output> logs(container::ContainerService& containers,
                                   const ContainerLogs::Input& in, const Call& call) {
    // One line more than asked for tells whether there are more.
    std::vector<std::string> argv{"journalctl", "--no-pager", "--quiet", "--output=short-iso",
                                  fmt::format("--lines={}", in.lines + 1)};
    if (in.since_seconds) argv.push_back(fmt::format("--since=-{}s", *in.since_seconds));
    if (in.unit) argv.push_back(fmt::format("--unit={}", in.unit->to_string()));
    // Twice what is answered, because the buffer keeps a head too.
    auto ran = containers.run(in.container,
                              {.launch = {.argv = std::move(argv)},
                               .timeout = journal_time_max,
                               .output_bytes_max = 4 * journal_bytes_max},
                              call.cancelled);
    if (!ran) return fail(journal_error(std::move(ran).error(), in.container));
    if (ran->exit_code != 0) {
        return fail(
            make_error(ErrorCode::unavailable,
                       fmt::format("the journal of container '{}' cannot be read: {}",
                                   in.container.to_string(),
                                   ran->timed_out ? "it did not answer in time" : ran->errors.text))
                .at("/container")
                .call("container_exec",
                      {{"container", in.container.to_string()},
                       {"argv", {"systemctl", "status", "--no-pager", "systemd-journald"}}}));
    }
    auto newest = newest_lines(ran->output.text, static_cast<std::size_t>(in.lines),
                               journal_bytes_max, journal_line_bytes_max);
    return ContainerLogs::Output{
        .container = in.container, .lines = std::move(newest.lines), .truncated = newest.truncated};
}

}  // namespace

void bind_container_tools(ToolRegistry& registry, container::ContainerService& containers) {
    const auto look = [&containers](const auto& in, const Call& call) {
        return preview(containers, in, call);
    };
    registry.bind<ContainerCreate>(
        [&containers](const ContainerCreate::Input& in, const Call& call) -> Result<Container> {
            auto wish = BERTH_TRY(wish_of(in));
            wish.caller = call.caller;
            return to_container(BERTH_TRY(containers.create(wish, to_waiting(call))));
        },
        look);
    registry.bind<ContainerGet>(
        [&containers](const ContainerGet::Input& in, const Call&) -> Result<Container> {
            return to_container(BERTH_TRY(containers.get(in.name)));
        });
    registry.bind<ContainerList>([&containers](const ContainerList::Input& in, const Call&) {
        return list(containers, in);
    });
    registry.bind<ContainerLogs>([&containers](const ContainerLogs::Input& in, const Call& call) {
        return logs(containers, in, call);
    });
    registry.bind<OutputRead>(
        [&containers](const OutputRead::Input& in, const Call&) { return read(containers, in); });
    registry.bind<ContainerStart>(
        [&containers](const ContainerStart::Input& in,
                      const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(containers.start(in.name, to_waiting(call))));
        },
        look);
    registry.bind<ContainerStop>(
        [&containers](const ContainerStop::Input& in,
                      const Call& call) -> Result<ContainerSummary> {
            return to_summary(BERTH_TRY(
                containers.stop(in.name, static_cast<int>(in.timeout_seconds), to_waiting(call))));
        },
        look);
    registry.bind<ContainerDelete>(
        [&containers](const ContainerDelete::Input& in,
                      const Call& call) -> Result<ContainerDelete::Output> {
            BERTH_TRY(containers.remove(in.name, in.force, to_waiting(call)));
            return ContainerDelete::Output{.name = in.name, .deleted = true};
        },
        look);
    registry.bind<ContainerExec>(
        [&containers](const ContainerExec::Input& in, const Call& call) {
            return run(containers, in, call);
        },
        look);
}

}  // namespace berth::tools
