// SPDX-License-Identifier: Apache-2.0
#include "host/exec/kept_outputs.h"

#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace berth::exec {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t id_bytes = 16;
constexpr std::int64_t look_every = std::int64_t{16} << 20;  // how much grows until room is made

struct Kept {
    fs::path path;
    fs::file_time_type written;
    std::int64_t bytes;
};

}  // namespace

fs::path KeptOutputs::directory(std::string_view container) const {
    return containers_ / container / "output";
}

Result<KeptOutputs::Growing> KeptOutputs::begin(std::string_view container) const {
    make_room();
    const fs::path directory = this->directory(container);
    // Not with its parents: they would outlive a container that is being deleted.
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return fail(system_error("keep an output", errno));
    std::string id = random_hex(id_bytes);
    Fd file(::open((directory / id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return fail(system_error("keep an output", errno));
    return Growing(*this, std::move(file), std::move(id));
}

void KeptOutputs::Growing::add(std::string_view bytes) {
    const auto room = static_cast<std::size_t>(all_->limits_.output_bytes_max - bytes_);
    const bool last = bytes.size() > room;
    bytes = bytes.substr(0, room);
    while (file_ && !bytes.empty()) {
        const ssize_t wrote = ::write(file_.get(), bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return file_.reset();
        if (bytes_ / look_every != (bytes_ + wrote) / look_every) all_->make_room();
        bytes_ += wrote;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (last) file_.reset();
}

Result<KeptOutputs::Part> KeptOutputs::read(std::string_view container, std::string_view id,
                                            std::int64_t offset, std::size_t bytes_max) const {
    const Fd file(::open((directory(container) / id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0)
        return fail(make_error(ErrorCode::not_found,
                               fmt::format("the container has no output '{}' (any more)", id))
                        .at("/output_id")
                        .next("run the command again with container_exec; outputs are kept until "
                              "newer ones need their room"));
    if (offset > status.st_size)
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("the output ends at {} bytes", status.st_size))
                        .at("/offset")
                        .next("read from an offset before that"));
    Part part{.bytes = std::string(bytes_max, '\0'), .total = status.st_size};
    std::size_t length = 0;
    while (length < bytes_max) {
        const ssize_t got = ::pread(file.get(), part.bytes.data() + length, bytes_max - length,
                                    offset + static_cast<off_t>(length));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(system_error("read an output", errno));
        if (got == 0) break;
        length += static_cast<std::size_t>(got);
    }
    part.bytes.resize(length);
    return part;
}

void KeptOutputs::make_room() const {
    std::vector<Kept> all;
    std::int64_t bytes = 0;
    std::error_code gone;  // a container may be deleted meanwhile
    for (const auto& container : fs::directory_iterator(containers_, gone)) {
        for (const auto& file : fs::directory_iterator(container.path() / "output", gone)) {
            const auto size = file.file_size(gone);
            const auto written = file.last_write_time(gone);
            if (gone) continue;
            all.push_back({file.path(), written, static_cast<std::int64_t>(size)});
            bytes += all.back().bytes;
        }
    }
    std::ranges::sort(all, {}, &Kept::written);
    for (const auto& kept : all) {
        if (bytes <= limits_.all_bytes_max) return;
        if (fs::remove(kept.path, gone)) bytes -= kept.bytes;
    }
}

}  // namespace berth::exec
