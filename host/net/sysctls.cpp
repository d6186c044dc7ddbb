// SPDX-License-Identifier: Apache-2.0
#include "host/net/sysctls.h"

#include "base/files.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <vector>

namespace berth::net {
namespace {

namespace fs = std::filesystem;
const fs::path tree = "/proc/sys/net";

struct Setting {
    std::string path;
    std::string value;
    bool optional;  // the module that has it may not be there, and then it is not needed
};

std::vector<Setting> settings(const std::string& bridge) {
    return {{"ipv4/ip_forward", "1", false},
            {fmt::format("ipv4/conf/{}/route_localnet", bridge), "1", false},
            {"bridge/bridge-nf-call-iptables", "0", true},
            {"bridge/bridge-nf-call-ip6tables", "0", true}};
}

Result<std::string> current(const fs::path& path) {
    auto text = BERTH_TRY(read_file(path));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

Result<Json> remembered(const fs::path& memory) {
    const auto text = read_file(memory);
    if (!text)
        return text.error().code == ErrorCode::not_found ? Result<Json>(Json::object())
                                                         : fail(text.error());
    return parse_json(*text);
}

}  // namespace

Result<> set_sysctls(const std::string& bridge, const fs::path& memory) {
    Json before = BERTH_TRY(remembered(memory));
    for (const auto& [path, value, optional] : settings(bridge)) {
        const auto now = current(tree / path);
        if (!now && optional) continue;
        if (!now) return fail(now.error());
        if (*now == value) continue;
        if (!before.contains(path)) before[path] = {{"was", *now}, {"set", value}};
        BERTH_TRY(write_file_atomically(memory, to_text(before), {.mode = 0600}));
        BERTH_TRY(write_kernel_file(tree / path, value));
    }
    return {};
}

Result<> restore_sysctls(const fs::path& memory) {
    const Json before = BERTH_TRY(remembered(memory));
    for (const auto& [path, entry] : before.items()) {
        const auto now = current(tree / path);
        if (now && *now == entry.at("set").get<std::string>())
            BERTH_TRY(write_kernel_file(tree / path, entry.at("was").get<std::string>()));
    }
    std::error_code ignored;
    fs::remove(memory, ignored);
    return {};
}

}  // namespace berth::net
