// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/cdi_steps.h"

#include "tools-schema/contract/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>

namespace berth::gpu::cdi {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view run = "/run";

/// What liblxc, init and berth mount; something there would be covered, or would cover.
constexpr std::array<std::string_view, 5> kept_inside{"/proc", "/sys", "/dev", "/run/sshd",
                                                      "/usr/lib/berth"};

std::unexpected<Error> unsupported(std::string message) {
    return fail(make_error(ErrorCode::unsupported, std::move(message))
                    .next("use a device whose spec does without, or 'gpus', which needs no spec")
                    .call("gpu_list", Json::object()));
}

bool is_in(const fs::path& path, const fs::path& top) {
    return std::mismatch(top.begin(), top.end(), path.begin(), path.end()).first == top.end();
}

/// In the one shortest way, and where the container has it: its /var/run is a link.
std::string plain_path(std::string_view path) {
    if (!path.starts_with('/')) return std::string(path);
    std::vector<std::string_view> parts;
    for (const auto range : std::views::split(path, '/')) {
        const std::string_view part(range);
        if (part == ".." && !parts.empty()) parts.pop_back();
        if (!part.empty() && part != "." && part != "..") parts.push_back(part);
    }
    if (parts.size() > 1 && parts[0] == "var" && parts[1] == "run") parts.erase(parts.begin());
    return fmt::format("/{}", fmt::join(parts, "/"));
}

Result<std::string> place_inside(std::string_view path, std::string_view what) {
    auto plain = plain_path(path);
    const auto meets = [&](std::string_view kept) {
        return is_in(plain, kept) || is_in(kept, plain);
    };
    const auto* const kept = std::ranges::find_if(kept_inside, meets);
    if (!plain.starts_with('/') || kept != kept_inside.end())
        return unsupported(
            fmt::format("the CDI spec wants {} '{}' in the container, and {} cannot "
                        "be changed from outside",
                        what, path, kept != kept_inside.end() ? *kept : "that"));
    return plain;
}

/// As mount(8) has them. A container's mounts are private, and never with devices or set-user-id
/// programs, whether the spec says so or not.
Result<> add_option(engine::DriverMount& mount, std::string_view option) {
    constexpr std::array<std::string_view, 14> settled{
        "bind",  "ro",     "nosuid",   "nodev",   "exec",       "private", "rprivate",
        "slave", "rslave", "relatime", "noatime", "nodiratime", "async",   ""};
    if (option == "rw")
        mount.writable = true;
    else if (option == "noexec")
        mount.executable = false;
    else if (option == "rbind")
        mount.recursive = true;
    else if (std::ranges::find(settled, option) == settled.end())
        return unsupported(
            fmt::format("the CDI spec wants '{}' mounted with the option '{}', which "
                        "berth does not give",
                        mount.host_path.string(), option));
    return {};
}

Result<engine::DriverMount> mount_of(const Mount& wanted) {
    if (!wanted.type.empty() && wanted.type != "none" && wanted.type != "bind")
        return unsupported(
            fmt::format("the CDI spec wants a {} mounted at '{}', and berth mounts "
                        "files and directories of the host alone",
                        wanted.type, wanted.container_path));
    auto inside = BERTH_TRY(place_inside(wanted.container_path, "something mounted at"));
    engine::DriverMount mount{.host_path = wanted.host_path, .inside = std::move(inside)};
    for (const auto& option : wanted.options) BERTH_TRY(add_option(mount, option));
    if (mount.inside == run)
        return unsupported("the CDI spec wants something mounted at /run, which is init's");
    return mount;
}

/// A hook of NVIDIA's toolkit: "nvidia-cdi-hook NAME …" or "nvidia-ctk hook NAME …".
struct Known {
    std::string name;
    std::vector<std::pair<std::string, std::string>> flags;  // "--folder" and what it is
};

std::unexpected<Error> not_known(const Hook& hook, std::string_view why) {
    return unsupported(
        fmt::format("the CDI spec wants the program '{}' to be run ({}), and berth "
                    "runs no program for a device: {}",
                    hook.path, hook.name, why));
}

Result<Known> known_hook(const Hook& hook) {
    const auto program = fs::path(hook.path).filename().string();
    const std::size_t words = program == "nvidia-ctk" ? 2 : 1;
    const auto& all = hook.arguments;
    if ((words == 1 && program != "nvidia-cdi-hook") ||
        (words == 2 && all.size() > 1 && all[1] != "hook"))
        return not_known(hook, "only hooks of nvidia-cdi-hook and nvidia-ctk are known");
    if (hook.name == "poststart" || hook.name == "poststop")
        return not_known(hook, "it would be too late for what it does");
    if (all.size() <= words) return not_known(hook, "its arguments do not say what to do");
    Known known{.name = all[words], .flags = {}};
    for (std::size_t at = words + 1; at < all.size(); ++at) {
        const auto equals = all[at].find('=');
        const bool joined = equals != std::string::npos;
        if (!all[at].starts_with("--") || (!joined && at + 1 == all.size()))
            return not_known(hook, fmt::format("its argument '{}' is not known", all[at]));
        known.flags.emplace_back(all[at].substr(0, equals),
                                 joined ? all[at].substr(equals + 1) : all[at + 1]);
        if (!joined) ++at;
    }
    return known;
}

Result<> add_link(Steps& steps, const Hook& hook, const std::string& flag,
                  const std::string& value) {
    const auto colons = value.find("::");
    if (flag != "--link" || colons == std::string::npos || colons == 0)
        return not_known(hook, fmt::format("its argument '{}={}' is not known", flag, value));
    steps.files.links.push_back(
        {.path = BERTH_TRY(place_inside(value.substr(colons + 2), "a link at")),
         .target = value.substr(0, colons)});
    if (is_in(steps.files.links.back().path, run))
        return unsupported("the CDI spec wants a link in /run, which is made when init starts");
    return {};
}

/// Several paths may be given, by commas or one after the other.
Result<> add_modes(Steps& steps, const Hook& hook, const Known& known) {
    constexpr int octal = 8;
    constexpr mode_t mode_max = 0777;
    mode_t mode = mode_max + 1;
    std::vector<std::string> paths;
    for (const auto& [flag, value] : known.flags) {
        if (flag == "--mode") {
            const auto* const end = value.data() + value.size();
            if (std::from_chars(value.data(), end, mode, octal).ptr != end) mode = mode_max + 1;
        } else if (flag == "--path") {
            paths.push_back(value);
        } else {
            return not_known(hook, fmt::format("its argument '{}' is not known", flag));
        }
    }
    if (mode > mode_max) return not_known(hook, "its --mode is none of 0 to 777");
    for (const auto& path : paths) {
        // Directories of device nodes are berth's, and open to everybody inside.
        if (is_in(plain_path(path), "/dev")) continue;
        steps.files.modes.push_back(
            {.path = BERTH_TRY(place_inside(path, "another mode for")), .mode = mode});
    }
    return {};
}

Result<> add_hook(Steps& steps, const Hook& hook) {
    const auto known = BERTH_TRY(known_hook(hook));
    if (known.name == "chmod") return add_modes(steps, hook, known);
    // Both keep programs inside from what a container of berth cannot do anyway, or choose between
    // two versions of a library: the device works without.
    if (known.name == "disable-device-node-modification" || known.name == "enable-cuda-compat") {
        steps.left_out.push_back(known.name);
        return {};
    }
    for (const auto& [flag, value] : known.flags) {
        if (known.name == "create-symlinks") {
            BERTH_TRY(add_link(steps, hook, flag, value));
        } else if (known.name == "update-ldcache" && flag == "--folder" && value.starts_with('/') &&
                   value.find_first_of("\n#") == std::string::npos) {
            auto& folders = steps.files.library_folders;
            if (std::ranges::find(folders, value) == folders.end()) folders.push_back(value);
        } else if (known.name != "update-ldcache" || flag != "--ldconfig-path") {
            return not_known(hook, fmt::format("'{} {}={}' is not known", known.name, flag, value));
        }
    }
    if (known.name != "create-symlinks" && known.name != "update-ldcache")
        return not_known(hook, fmt::format("its '{}' is not known", known.name));
    return {};
}

}  // namespace

Result<Steps> steps_of(const Edits& edits) {
    Steps steps;
    if (!edits.additional_gids.empty())
        return unsupported(
            "the CDI spec wants more groups for its processes, which berth does not give");
    for (const auto& variable : edits.environment) {
        if (variable.find('\n') != std::string::npos)
            return unsupported(
                fmt::format("the CDI spec wants the variable '{}' with more than one line",
                            variable.substr(0, variable.find('='))));
    }
    for (const auto& mount : edits.mounts) steps.files.mounts.push_back(BERTH_TRY(mount_of(mount)));
    for (const auto& hook : edits.hooks) BERTH_TRY(add_hook(steps, hook));
    return steps;
}

}  // namespace berth::gpu::cdi
