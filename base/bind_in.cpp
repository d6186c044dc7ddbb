// SPDX-License-Identifier: Apache-2.0
#include "base/bind_in.h"

#include "base/files.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

namespace berth {

Result<> bind_in(const Fd& directory, const std::string& name, const Fd& socket, mode_t mode) {
    const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        return fail(ErrorCode::internal, fmt::format("'{}' is too long for a socket", name));
    std::ranges::copy(path, static_cast<char*>(address.sun_path));
    const auto* any = reinterpret_cast<const sockaddr*>(&address);  // NOLINT: sockaddr's own idiom
    if (::bind(socket.get(), any, sizeof(address)) != 0 ||
        ::fchmodat(directory.get(), name.c_str(), mode, 0) != 0)
        return fail(system_error(fmt::format("make the socket '{}'", name), errno));
    return {};
}

}  // namespace berth
