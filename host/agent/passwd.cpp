// SPDX-License-Identifier: Apache-2.0
#include "host/agent/passwd.h"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

namespace berth::agent {
namespace {

/// Cuts the part before `separator` off the front of `text`.
std::string_view cut(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return part;
}

bool number(std::string_view text, unsigned& out) {
    constexpr std::size_t digits_max = 10;
    if (text.empty() || text.size() > digits_max) return false;
    unsigned long value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        value = value * 10 + static_cast<unsigned long>(c - '0');
    }
    if (value >= std::numeric_limits<unsigned>::max())
        return false;  // -1 means "leave as it is" to the kernel
    out = static_cast<unsigned>(value);
    return true;
}

bool copy(std::string_view from, char (&to)[field_bytes_max]) {
    if (from.size() >= field_bytes_max) return false;
    std::memcpy(to, from.data(), from.size());
    to[from.size()] = '\0';
    return true;
}

bool lists(std::string_view members, std::string_view name) {
    while (!members.empty()) {
        if (cut(members, ',') == name) return true;
    }
    return false;
}

}  // namespace

bool find_user(const char* passwd, const char* group, const char* name, User& user) {
    bool found = false;
    for (std::string_view rest(passwd); !rest.empty() && !found;) {
        std::string_view line = cut(rest, '\n');
        if (cut(line, ':') != name) continue;
        (void)cut(line, ':');  // the password is in /etc/shadow
        const auto uid = cut(line, ':');
        const auto gid = cut(line, ':');
        (void)cut(line, ':');  // the person's name
        const auto home = cut(line, ':');
        if (!number(uid, user.uid) || !number(gid, user.gid) || !copy(home, user.home) ||
            !copy(line, user.shell))
            return false;
        found = true;
    }
    if (!found) return false;
    user.groups[0] = user.gid;
    user.group_count = 1;
    for (std::string_view rest(group); !rest.empty() && user.group_count < groups_max;) {
        std::string_view line = cut(rest, '\n');
        (void)cut(line, ':');
        (void)cut(line, ':');
        unsigned gid = 0;
        if (number(cut(line, ':'), gid) && gid != user.gid && lists(line, name))
            user.groups[user.group_count++] = gid;
    }
    return true;
}

}  // namespace berth::agent
