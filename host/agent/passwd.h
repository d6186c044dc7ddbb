// SPDX-License-Identifier: Apache-2.0
// Users as a container's own /etc/passwd and /etc/group have them. A static program cannot use NSS.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace berth::agent {

inline constexpr std::size_t groups_max = 64;
inline constexpr std::size_t field_bytes_max = 1024;

struct User {
    uid_t uid;
    gid_t gid;
    char home[field_bytes_max];
    char shell[field_bytes_max];
    gid_t groups[groups_max];
    std::size_t group_count;
};

/// Looks a user up by name in the text of the two files. False when there is no such user or its
/// entry is malformed; a malformed group line is passed over.
bool find_user(const char* passwd, const char* group, const char* name, User& user);

}  // namespace berth::agent
