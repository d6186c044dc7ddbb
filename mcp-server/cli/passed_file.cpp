// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/cli/passed_file.h"

#include "base/files.h"
#include "base/shared_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace berth::cli {
namespace {

constexpr mode_t private_mode = 0600;  // what a container's files may be is for its owner to say
constexpr std::size_t name_bytes = 4;

std::unexpected<Error> not_opened(const std::string& path) {
    return fail(system_error(fmt::format("open '{}'", path), errno)
                    .next("check the path, and who may use it"));
}

bool is_written_as_it_is(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

Result<PassedFile> PassedFile::open(const FileToPass& file) {
    PassedFile passed;
    Fd opened;
    if (file.path == standard_stream) {
        const int stream = file.written ? STDOUT_FILENO : STDIN_FILENO;
        opened = Fd(::fcntl(stream, F_DUPFD_CLOEXEC, 0));
    } else if (!file.written) {
        opened = Fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    } else if (is_written_as_it_is(file.path)) {
        opened = Fd(::open(file.path.c_str(), O_WRONLY | O_CLOEXEC));
    } else {
        passed.path_ = file.path;
        const auto made = fmt::format("{}.part-{}", file.path, random_hex(name_bytes));
        opened = Fd(::open(made.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, private_mode));
        if (opened) passed.made_ = made;
    }
    if (!opened) return not_opened(file.path);
    passed.descriptor_ = share(std::move(opened));
    return passed;
}

PassedFile::PassedFile(PassedFile&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      path_(std::exchange(other.path_, {})),
      made_(std::exchange(other.made_, {})) {}

PassedFile& PassedFile::operator=(PassedFile&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    std::swap(made_, other.made_);
    return *this;
}

PassedFile::~PassedFile() {
    if (!made_.empty()) (void)::unlink(made_.c_str());
}

Result<> PassedFile::keep() {
    if (made_.empty()) return {};
    if (::rename(made_.c_str(), path_.c_str()) != 0)
        return fail(system_error(fmt::format("name the file '{}'", path_), errno));
    made_.clear();
    return {};
}

}  // namespace berth::cli
