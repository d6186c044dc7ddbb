// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/export_directory.h"

#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace berth::transfer {
namespace {

constexpr mode_t root_only_directory = 0700, root_only = 0600;

std::unexpected<Error> taken(const std::string& name) {
    return fail(make_error(ErrorCode::already_exists,
                           fmt::format("there is an export '{}' on this host already", name))
                    .at("/file")
                    .next("choose another name"));
}

Result<> check_name(const std::string& name) {
    constexpr std::size_t characters_max = 100;
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    if (!name.empty() && name.size() <= characters_max && !letters.substr(36).contains(name[0]) &&
        name.find_first_not_of(letters) == std::string::npos)
        return {};
    return fail(make_error(ErrorCode::invalid_argument,
                           "must be an export's name: 1 to 100 of a-z, 0-9, '.', '_' and '-', "
                           "starting with a letter or digit")
                    .at("/file")
                    .next("choose such a name, without directories"));
}

}  // namespace

Result<> ExportDirectory::check_free(const std::string& name) const {
    BERTH_TRY(check_name(name));
    struct stat status{};
    if (::lstat((directory_ / name).c_str(), &status) == 0) return taken(name);
    return {};
}

/// The file has no name until it is whole, so nothing is left of one that is not.
Result<ExportDirectory::Draft> ExportDirectory::draft(const std::string& name) const {
    BERTH_TRY(make_directories(directory_, root_only_directory));
    BERTH_TRY(check_free(name));
    Fd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Fd file(directory ? ::openat(directory.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, root_only)
                      : -1);
    if (!file) return fail(system_error("make a file in the directory of exports", errno));
    return Draft(std::move(directory), std::move(file), name);
}

Result<> ExportDirectory::Draft::keep() {
    if (::fsync(file_.get()) != 0) return fail(system_error("write the export to the disk", errno));
    const auto made = fmt::format("/proc/self/fd/{}", file_.get());
    if (::linkat(AT_FDCWD, made.c_str(), directory_.get(), name_.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        if (errno == EEXIST) return taken(name_);
        return fail(system_error("name the export", errno));
    }
    if (::fsync(directory_.get()) != 0)
        return fail(system_error("write the directory of exports to the disk", errno));
    return {};
}

Result<Fd> ExportDirectory::open(const std::string& name) const {
    BERTH_TRY(check_name(name));
    Fd file(::open((directory_ / name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file) return file;
    if (errno == ENOENT)
        return fail(make_error(ErrorCode::not_found,
                               fmt::format("there is no export '{}' on this host", name))
                        .at("/file")
                        .next("write one with container_export"));
    return fail(Error(system_error("open the export", errno)).at("/file"));
}

}  // namespace berth::transfer
