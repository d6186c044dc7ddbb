// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/cli.h"

#include "mcp-server/cli/command_line.h"
#include "mcp-server/cli/completion.h"
#include "mcp-server/cli/passed_file.h"
#include "mcp-server/cli/progress.h"
#include "mcp-server/cli/render.h"
#include "mcp-server/cli/ssh_config_sync.h"
#include "mcp-server/cli/text.h"
#include "mcp-server/cli/verbs.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <istream>
#include <mutex>
#include <ostream>
#include <thread>

namespace berth::cli {
namespace {

constexpr int exit_timed_out = 124;  // as timeout(1)
constexpr int exit_signal = 128;     // and the signal's number, as shells
constexpr int signal_max = 64;
constexpr std::chrono::milliseconds completion_time_max{300};

struct Looks {
    Look out;
    Look err;
};

Looks looks_of(ColourChoice choice, const World& world) {
    const auto variables = terminal_variables();
    return {.out = look_of(world.out_device, choice, variables),
            .err = look_of(world.err_device, choice, variables)};
}

/// For a person three lines; with --json one line with the error as an object. Standard output
/// stays empty either way, so that what reads it never takes an error for a result.
int report(const Error& error, bool json, const Look& look, const World& world) {
    if (json) {
        world.err << harmless_json(to_text(Json{{"error", jsonrpc::error_object(error)}})) << "\n";
    } else {
        world.err << render(error, look);
    }
    return error_info(error.code).exit;
}

int signal_number(std::string_view name) {
    for (int number = 1; number <= signal_max; ++number) {
        const char* known = ::sigabbrev_np(number);
        if (known != nullptr && name == fmt::format("SIG{}", known)) return number;
    }
    return 0;
}

/// A command's output as it is, but for a terminal, which nothing inside a container may steer.
std::string passed_on(const std::string& text, const Look& look) {
    return look.terminal ? harmless(text, "\n\t") : text;
}

/// Gives what the command wrote to our own streams, and ends as the command did.
int pass_on(const Json& result, const Looks& looks, const World& world) {
    world.out << passed_on(result["stdout"].value("text", ""), looks.out);
    world.err << passed_on(result["stderr"].value("text", ""), looks.err);
    if (result.value("timed_out", false)) {
        world.err << "berth: the command was killed because its time was up\n";
        return exit_timed_out;
    }
    if (result.contains("signal")) return exit_signal + signal_number(result.value("signal", ""));
    return result.value("exit_code", 0);
}

bool is_exec_result(const Json& result) {
    return result.is_object() && result.contains("stdout") && result["stdout"].is_object() &&
           result.contains("stderr") && result["stderr"].is_object();
}

Result<Json> answer(const CommandLine& line, const Look& look, const std::stop_token& cancelled,
                    const World& world) {
    if (const auto* mcp = std::get_if<McpCommand>(&line.action)) {
        world.err << mcp_warning();
        return run_mcp_command(*mcp, line.socket);
    }
    const auto berthd = world.connect(line.socket);
    if (const auto* sync = std::get_if<SshConfigSync>(&line.action)) {
        return sync_ssh_config(*sync, *berthd);
    }
    const auto& call = std::get<ToolCall>(line.action);
    std::optional<PassedFile> file;
    if (call.file) file = BERTH_TRY(PassedFile::open(*call.file));
    ProgressMeter meter(verb_of(*call.tool).name(), look, world.err);
    auto result =
        berthd->invoke(call.tool->name, call.arguments,
                       {.cancelled = cancelled,
                        .report = [&meter](const Progress& progress) { meter.report(progress); },
                        .file = file ? file->descriptor() : nullptr});
    const bool keep = file && result && !result->value("dry_run", false);
    if (keep) BERTH_TRY(file->keep());
    return result;
}

int show(const Json& result, const CommandLine& line, const Looks& looks, const World& world) {
    if (line.json) {
        world.out << harmless_json(to_text(result)) << "\n";
        return 0;
    }
    const auto* call = std::get_if<ToolCall>(&line.action);
    if (call != nullptr && call->tool->name == "container_exec" && is_exec_result(result)) {
        return pass_on(result, looks, world);
    }
    world.out << render(result, looks.out);
    return 0;
}

/// Where the result is told: not on standard output when that is the file.
World world_for(const CommandLine& line, const World& world) {
    const auto* call = std::get_if<ToolCall>(&line.action);
    const bool taken =
        call != nullptr && call->file && call->file->written && call->file->path == standard_stream;
    if (!taken) return world;
    return {.connect = world.connect,
            .in = world.in,
            .out = world.err,
            .err = world.err,
            .out_device = world.err_device,
            .err_device = world.err_device,
            .on_interrupt = world.on_interrupt};
}

/// What berthd knows is asked for only as long as a person does not notice; then, or when berthd is
/// down, there is nothing to complete, and not a word about it.
int complete_line(const Complete& typed, const CommandLine& line, const World& world) {
    const auto socket = socket_among(typed.words);
    const auto berthd = world.connect(socket.empty() ? line.socket : socket);
    const std::stop_source late;
    std::mutex mutex;
    std::condition_variable_any wake;
    const std::jthread timer([&](const std::stop_token& answered) {
        std::unique_lock lock(mutex);
        (void)wake.wait_for(lock, answered, completion_time_max,
                            [&answered] { return answered.stop_requested(); });
        std::stop_source(late).request_stop();
    });
    const auto found = complete(typed.words, [&](std::string_view tool, const Json& arguments) {
        return berthd->invoke(tool, arguments, {.cancelled = late.get_token()});
    });
    world.out << completion_lines(found);
    return 0;
}

/// Tells what becomes of the tunnel until ^C, which is how one ends.
Result<Json> keep_tunnel(const TunnelCommand& command, const CommandLine& line, const Looks& looks,
                         const std::stop_token& interrupted, const World& world) {
    BERTH_TRY(run_tunnel_command(command, interrupted, [&](const Json& news) {
        world.out << (line.json ? harmless_json(to_text(news)) : render(news, looks.out)) << "\n";
        world.out.flush();
    }));
    return Json();
}

int run(const CommandLine& line, const World& world) {
    if (const auto* typed = std::get_if<Complete>(&line.action)) {
        return complete_line(*typed, line, world);
    }
    if (const auto* print = std::get_if<Print>(&line.action)) {
        world.out << print->text;
        return 0;
    }
    const auto looks = looks_of(line.colour, world);
    const auto* const tunnel = std::get_if<TunnelCommand>(&line.action);
    std::stop_source interrupted;
    Result<Json> result;
    {
        const auto watch = world.on_interrupt ? world.on_interrupt(interrupted) : nullptr;
        result = tunnel != nullptr
                     ? keep_tunnel(*tunnel, line, looks, interrupted.get_token(), world)
                     : answer(line, looks.err, interrupted.get_token(), world);
    }
    if (result && tunnel != nullptr) return 0;
    if (result) return show(*result, line, looks, world);
    if (!interrupted.stop_requested()) {
        return report(result.error(), line.json, looks.err, world);
    }
    (void)report(make_error(ErrorCode::unavailable, "interrupted, and the call was cancelled"),
                 line.json, looks.err, world);
    return exit_signal + SIGINT;
}

}  // namespace

int run_cli(std::vector<std::string> words, const World& world) {
    const bool json = std::ranges::find(words, "--json") < std::ranges::find(words, "--");
    const auto line = read_command_line(std::move(words), world.in);
    const auto look = looks_of(line ? line->colour : ColourChoice::automatic, world).err;
    const int code =
        line ? run(*line, world_for(*line, world)) : report(line.error(), json, look, world);
    if (world.out.flush()) return code;
    return report(make_error(ErrorCode::unavailable, "standard output cannot be written"), json,
                  look, world);
}

}  // namespace berth::cli
