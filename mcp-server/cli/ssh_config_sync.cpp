// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/ssh_config_sync.h"

#include "base/files.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view known_hosts_default = "~/.ssh/berth_known_hosts";
constexpr mode_t config_mode = 0600;

struct Place {
    fs::path directory;
    bool standard;  // it is ~/.ssh, so that paths may stay relative to it
};

Result<Place> find_place(const std::string& wanted) {
    const char* home = std::getenv("HOME");
    if (home == nullptr && (wanted.empty() || wanted.starts_with("~/"))) {
        return fail(make_error(ErrorCode::invalid_argument, "HOME is not set").next("give --dir"));
    }
    fs::path directory = wanted.empty() ? fs::path(home) / ".ssh" : fs::path(wanted);
    if (wanted.starts_with("~/")) directory = fs::path(home) / wanted.substr(2);
    std::error_code ignored;
    directory = fs::absolute(directory, ignored).lexically_normal();
    if (directory.filename().empty()) directory = directory.parent_path();
    if (directory.native().find_first_of("\"\n") != std::string::npos) {
        return fail(ErrorCode::invalid_argument, "--dir has a character that ssh cannot read");
    }
    const bool standard =
        home != nullptr && directory == (fs::path(home) / ".ssh").lexically_normal();
    return Place{.directory = std::move(directory), .standard = standard};
}

/// A path as ssh_config reads it.
std::string quoted(const fs::path& path) {
    return path.native().contains(' ') ? fmt::format("\"{}\"", path.native()) : path.native();
}

std::string replaced(std::string text, std::string_view from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
    return text;
}

/// Makes `line` the first line of the user's own configuration, and keeps the rest, the file's mode
/// and, when it is a symbolic link, the link.
Result<> put_first(const fs::path& config, const std::string& line) {
    std::error_code missing;
    const auto file = fs::canonical(config, missing);
    if (missing) return write_file_atomically(config, line + "\n", {.mode = config_mode});
    const auto old = BERTH_TRY(read_file(file));
    if (old == line || old.starts_with(line + "\n")) return {};
    const auto mode = static_cast<mode_t>(fs::status(file, missing).permissions()) & 0777;
    return write_file_atomically(file, line + "\n" + old, {.mode = mode});
}

Result<std::string> text_in(const Json& answer, const char* key) {
    const auto found = answer.find(key);
    if (found != answer.end() && found->is_string()) return found->get<std::string>();
    return fail(ErrorCode::internal, fmt::format("berthd answered without {}", key));
}

}  // namespace

Result<Json> sync_ssh_config(const SshConfigSync& wanted, Invoker& berthd) {
    const auto place = BERTH_TRY(find_place(wanted.directory));
    Json arguments = Json::object();
    if (!wanted.host.empty()) arguments["host"] = wanted.host;
    const auto answer = BERTH_TRY(berthd.invoke("ssh_config", arguments, {}));
    auto entries = BERTH_TRY(text_in(answer, "config"));
    const auto pinned = BERTH_TRY(text_in(answer, "known_hosts"));

    const auto config = place.directory / "berth_config";
    const auto known_hosts = place.directory / "berth_known_hosts";
    if (!place.standard) entries = replaced(entries, known_hosts_default, quoted(known_hosts));
    BERTH_TRY(make_directories(place.directory, 0700));
    BERTH_TRY(write_file_atomically(known_hosts, pinned, {.mode = config_mode}));
    BERTH_TRY(write_file_atomically(config, entries, {.mode = config_mode}));

    Json wrote{{"config", config.native()}, {"known_hosts", known_hosts.native()}};
    if (wanted.include) {
        const auto user_config = place.directory / "config";
        BERTH_TRY(put_first(user_config,
                            "Include " + (place.standard ? "berth_config" : quoted(config))));
        wrote["included_in"] = user_config.native();
    }
    wrote["containers"] = answer.value("containers", Json::array());
    return wrote;
}

}  // namespace berth::cli
