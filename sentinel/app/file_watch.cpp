// SPDX-License-Identifier: Apache-2.0
#include "sentinel/app/file_watch.h"

#include "base/files.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace berth::sentinel {

// The directory is watched, since a rename puts another file in the place of the one there was.
Result<FileWatch> FileWatch::start(const std::filesystem::path& path) {
    const auto directory = path.has_parent_path() ? path.parent_path() : ".";
    Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify || ::inotify_add_watch(inotify.get(), directory.c_str(),
                                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        return fail(system_error("watch " + directory.string(), errno));
    }
    return FileWatch(std::move(inotify), path.filename().string());
}

bool FileWatch::changed() {
    // One event at least, and its name (inotify(7)).
    alignas(inotify_event) std::array<char, 64 * (sizeof(inotify_event) + NAME_MAX + 1)> events{};
    bool any = false;
    for (ssize_t got = 0; (got = ::read(inotify_.get(), events.data(), events.size())) > 0;) {
        const auto bytes = static_cast<std::size_t>(got);
        for (std::size_t at = 0; at + sizeof(inotify_event) <= bytes;) {
            inotify_event event{};
            std::memcpy(&event, events.data() + at, sizeof event);
            const char* const name = events.data() + at + sizeof event;
            if ((event.mask & IN_Q_OVERFLOW) != 0 || (event.len > 0 && name_ == name)) any = true;
            at += sizeof event + event.len;
        }
    }
    return any;
}

}  // namespace berth::sentinel
