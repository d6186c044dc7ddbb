// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/cli.h"

#include "mcp-server/cli/command_line.h"
#include "mcp-server/cli/render.h"
#include "mcp-server/cli/ssh_config_sync.h"
#include "mcp-server/jsonrpc/error_object.h"
#include "tools-schema/contract/error_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <istream>
#include <ostream>

namespace berth::cli {
namespace {

constexpr int exit_timed_out = 124;  // as timeout(1)
constexpr int exit_signal = 128;     // and the signal's number, as shells
constexpr int signal_max = 64;

int report(const Error& error, bool json, const World& world) {
    if (json) world.out << to_text(Json{{"error", jsonrpc::error_object(error)}}) << "\n";
    world.err << render(error);
    return error_info(error.code).exit;
}

int signal_number(std::string_view name) {
    for (int number = 1; number <= signal_max; ++number) {
        const char* known = ::sigabbrev_np(number);
        if (known != nullptr && name == fmt::format("SIG{}", known)) return number;
    }
    return 0;
}

/// Gives what the command wrote to our own streams, and ends as the command did.
int pass_on(const Json& result, const World& world) {
    world.out << result["stdout"].value("text", "");
    world.err << result["stderr"].value("text", "");
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

Result<Json> answer(const CommandLine& line, const World& world) {
    const auto berthd = world.connect(line.socket);
    if (const auto* sync = std::get_if<SshConfigSync>(&line.action)) {
        return sync_ssh_config(*sync, *berthd);
    }
    const auto& call = std::get<ToolCall>(line.action);
    return berthd->invoke(call.tool->name, call.arguments, {});
}

int run(const CommandLine& line, const World& world) {
    if (const auto* print = std::get_if<Print>(&line.action)) {
        world.out << print->text;
        return 0;
    }
    const auto result = answer(line, world);
    if (!result) return report(result.error(), line.json, world);
    if (line.json) {
        world.out << to_text(*result) << "\n";
        return 0;
    }
    const auto* call = std::get_if<ToolCall>(&line.action);
    if (call != nullptr && call->tool->name == "container_exec" && is_exec_result(*result)) {
        return pass_on(*result, world);
    }
    world.out << render(*result);
    return 0;
}

}  // namespace

int run_cli(std::vector<std::string> words, const World& world) {
    const bool json = std::ranges::find(words, "--json") < std::ranges::find(words, "--");
    const auto line = read_command_line(std::move(words), world.in);
    const int code = line ? run(*line, world) : report(line.error(), json, world);
    if (world.out.flush()) return code;
    return report(make_error(ErrorCode::unavailable, "standard output cannot be written"), false,
                  world);
}

}  // namespace berth::cli
