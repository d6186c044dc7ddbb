// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/pax.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace berth::transfer {
namespace {

constexpr int block_bytes = 64 * 1024;
constexpr std::size_t read_bytes = std::size_t{64} * 1024;
/// What one header may take, and what a list of extents may: libarchive keeps those in memory.
constexpr std::size_t unread_bytes_max = std::size_t{4} * 1024 * 1024;
constexpr std::size_t zeros_bytes = std::size_t{1024} * 1024;
constexpr std::string_view no_archive = "this is no export of berth, or it is damaged";

struct FreeEntry {
    void operator()(archive_entry* entry) const noexcept { ::archive_entry_free(entry); }
};
using EntryHandle = std::unique_ptr<archive_entry, FreeEntry>;

std::string_view text_or_empty(const char* text) {
    return text == nullptr ? std::string_view() : text;
}

mode_t type_of(Kind kind) {
    switch (kind) {
        case Kind::directory:
            return S_IFDIR;
        case Kind::symbolic_link:
            return S_IFLNK;
        case Kind::fifo:
            return S_IFIFO;
        case Kind::whiteout:
            return S_IFCHR;
        case Kind::file:
        case Kind::hard_link:
            return S_IFREG;
    }
    std::unreachable();
}

/// Without the slash that tar puts behind a directory.
std::string plain_path(std::string_view path) {
    if (path.ends_with('/')) path.remove_suffix(1);
    return std::string(path);
}

void describe(archive_entry* to, const Entry& entry) {
    ::archive_entry_set_pathname(to, entry.path.c_str());
    ::archive_entry_set_mode(to, type_of(entry.kind) | entry.mode);
    ::archive_entry_set_uid(to, entry.uid);
    ::archive_entry_set_gid(to, entry.gid);
    ::archive_entry_set_mtime(to, entry.modified.seconds,
                              static_cast<long>(entry.modified.nanoseconds));
    ::archive_entry_set_size(to, entry.kind == Kind::file ? entry.size : 0);
    if (entry.kind == Kind::symbolic_link) ::archive_entry_set_symlink(to, entry.target.c_str());
    if (entry.kind == Kind::hard_link) ::archive_entry_set_hardlink(to, entry.target.c_str());
    if (entry.kind == Kind::whiteout) ::archive_entry_set_rdev(to, makedev(0, 0));
    for (const auto& [name, value] : entry.attributes)
        ::archive_entry_xattr_add_entry(to, name.c_str(), value.data(), value.size());
}

/// A file without holes needs no list of extents, and one of a hole alone has an empty one in it.
void describe_extents(archive_entry* to, const Entry& entry) {
    if (entry.kind != Kind::file || entry.size == 0) return;
    const auto& extents = entry.extents;
    if (extents.empty()) return ::archive_entry_sparse_add_entry(to, 0, 0);
    if (extents.size() == 1 && extents[0].offset == 0 && extents[0].bytes == entry.size) return;
    for (const auto& extent : extents)
        ::archive_entry_sparse_add_entry(to, extent.offset, extent.bytes);
}

Result<Kind> kind_of(archive_entry* entry) {
    if (::archive_entry_hardlink(entry) != nullptr) return Kind::hard_link;
    switch (::archive_entry_filetype(entry)) {
        case AE_IFREG:
            return Kind::file;
        case AE_IFDIR:
            return Kind::directory;
        case AE_IFLNK:
            return Kind::symbolic_link;
        case AE_IFIFO:
            return Kind::fifo;
        case AE_IFCHR:
            if (::archive_entry_rdev(entry) == makedev(0, 0)) return Kind::whiteout;
            [[fallthrough]];
        default:
            return fail(ErrorCode::invalid_argument,
                        "it has a device or a socket in it, which no container can have");
    }
}

Result<std::map<std::string, std::string>> attributes_of(archive_entry* entry) {
    std::map<std::string, std::string> attributes;
    ::archive_entry_xattr_reset(entry);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        std::string bytes;
        if (size > 0) bytes.assign(static_cast<const char*>(value), size);
        const bool again = !attributes.try_emplace(name, std::move(bytes)).second;
        if (again) return fail(ErrorCode::invalid_argument, "an attribute in it is there twice");
    }
    return attributes;
}

}  // namespace

struct PaxWriter::State {
    explicit State(ByteSink to) : sink(std::move(to)), handle(::archive_write_new()) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { (void)::archive_write_free(handle); }

    static la_ssize_t take(archive*, void* self, const void* bytes, std::size_t count) {
        auto& state = *static_cast<State*>(self);
        if (state.broken) return -1;
        auto taken = state.sink({static_cast<const char*>(bytes), count});
        if (taken) return static_cast<la_ssize_t>(count);
        state.broken = std::move(taken).error();
        return -1;
    }
    [[nodiscard]] Result<> must(bool done) {
        if (done) return {};
        if (broken) return fail(*broken);
        return fail(ErrorCode::internal,
                    fmt::format("an archive cannot be written: {}",
                                text_or_empty(::archive_error_string(handle))));
    }
    Result<> write(const char* bytes, std::size_t count) {
        const auto done = ::archive_write_data(handle, bytes, count);
        at += static_cast<std::int64_t>(count);
        return must(done == static_cast<la_ssize_t>(count));
    }
    /// Of these libarchive writes nothing, if they are no part of an extent.
    Result<> skip_to(std::int64_t offset) {
        static const std::string zeros(zeros_bytes, '\0');
        while (at < offset)
            BERTH_TRY(
                write(zeros.data(), std::min(zeros.size(), static_cast<std::size_t>(offset - at))));
        return {};
    }

    ByteSink sink;
    archive* handle;
    std::optional<Error> broken = {};
    std::int64_t at = 0;    // in the content of the entry that is being written
    std::int64_t size = 0;  // of it
};

PaxWriter::PaxWriter(ByteSink sink) : state_(std::make_unique<State>(std::move(sink))) {
    archive* const handle = state_->handle;
    (void)::archive_write_set_format_pax(handle);
    // Names are bytes, not text of some language; and attributes are written once, not in two ways.
    (void)::archive_write_set_options(handle, "hdrcharset=BINARY,xattrheader=SCHILY");
    (void)::archive_write_set_bytes_per_block(handle, block_bytes);
    (void)::archive_write_set_bytes_in_last_block(handle, 1);
    (void)::archive_write_open2(handle, state_.get(), nullptr, &State::take, nullptr, nullptr);
}

PaxWriter::~PaxWriter() = default;

Result<> PaxWriter::begin(const Entry& entry) {
    BERTH_TRY(state_->skip_to(state_->size));
    std::size_t attribute_bytes = 0;
    for (const auto& [name, value] : entry.attributes)
        attribute_bytes += name.size() + value.size();
    if (attribute_bytes > attribute_bytes_max)
        return fail(ErrorCode::quota_exceeded,
                    fmt::format("'{}' has more than {} bytes of attributes", entry.path,
                                attribute_bytes_max));
    const EntryHandle described(::archive_entry_new());
    describe(described.get(), entry);
    describe_extents(described.get(), entry);
    state_->at = 0;
    state_->size = entry.kind == Kind::file ? entry.size : 0;
    return state_->must(::archive_write_header(state_->handle, described.get()) == ARCHIVE_OK);
}

Result<> PaxWriter::content(std::int64_t offset, std::string_view bytes) {
    BERTH_TRY(state_->skip_to(offset));
    return state_->write(bytes.data(), bytes.size());
}

Result<> PaxWriter::finish() {
    BERTH_TRY(state_->skip_to(state_->size));
    return state_->must(::archive_write_close(state_->handle) == ARCHIVE_OK);
}

struct PaxReader::State {
    explicit State(ByteSource from) : source(std::move(from)), handle(::archive_read_new()) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { (void)::archive_read_free(handle); }

    static la_ssize_t give(archive* handle, void* self, const void** bytes) {
        auto& state = *static_cast<State*>(self);
        if (!state.broken && state.unread > unread_bytes_max)
            state.broken = make_error(ErrorCode::invalid_argument, "a header in it is too long");
        if (!state.broken) {
            const auto got = state.source(state.buffer);
            if (got) {
                state.unread += *got;
                *bytes = state.buffer.data();
                return static_cast<la_ssize_t>(*got);
            }
            state.broken = got.error();
        }
        ::archive_set_error(handle, EIO, "no more bytes");
        return ARCHIVE_FATAL;
    }
    [[nodiscard]] Error why() const {
        if (broken) return *broken;
        const auto said = text_or_empty(::archive_error_string(handle));
        return make_error(
            ErrorCode::invalid_argument,
            said.empty() ? std::string(no_archive) : fmt::format("{}: {}", no_archive, said));
    }

    ByteSource source;
    archive* handle;
    std::array<char, read_bytes> buffer{};
    std::size_t unread = 0;  // since libarchive gave something
    std::optional<Error> broken = {};
    bool open = false;
};

PaxReader::PaxReader(ByteSource source) : state_(std::make_unique<State>(std::move(source))) {
    (void)::archive_read_support_format_tar(state_->handle);
}

PaxReader::~PaxReader() = default;

Result<std::optional<Entry>> PaxReader::next() {
    state_->unread = 0;
    if (!std::exchange(state_->open, true) &&
        ::archive_read_open2(state_->handle, state_.get(), nullptr, &State::give, nullptr,
                             nullptr) != ARCHIVE_OK)
        return fail(state_->why());
    archive_entry* found = nullptr;
    const int status = ::archive_read_next_header(state_->handle, &found);
    if (status == ARCHIVE_EOF) return std::nullopt;
    if (status != ARCHIVE_OK) return fail(state_->why());
    Entry entry;
    entry.kind = BERTH_TRY(kind_of(found));
    entry.path = plain_path(text_or_empty(::archive_entry_pathname(found)));
    entry.mode = ::archive_entry_mode(found) & 07777;
    entry.uid = ::archive_entry_uid(found);
    entry.gid = ::archive_entry_gid(found);
    entry.modified = {.seconds = ::archive_entry_mtime(found),
                      .nanoseconds = ::archive_entry_mtime_nsec(found)};
    if (entry.kind == Kind::file) entry.size = ::archive_entry_size(found);
    if (entry.kind == Kind::symbolic_link)
        entry.target = text_or_empty(::archive_entry_symlink(found));
    if (entry.kind == Kind::hard_link)
        entry.target = text_or_empty(::archive_entry_hardlink(found));
    entry.attributes = BERTH_TRY(attributes_of(found));
    return entry;
}

Result<> PaxReader::content(const ContentSink& sink) {
    for (;;) {
        state_->unread = 0;
        const void* bytes = nullptr;
        std::size_t count = 0;
        la_int64_t offset = 0;
        const int status = ::archive_read_data_block(state_->handle, &bytes, &count, &offset);
        if (status == ARCHIVE_EOF) return {};
        if (status != ARCHIVE_OK) return fail(state_->why());
        if (count > 0) BERTH_TRY(sink(offset, {static_cast<const char*>(bytes), count}));
    }
}

}  // namespace berth::transfer
