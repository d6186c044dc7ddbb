// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/installer.h"

#include "base/files.h"
#include "mcp-server/clients/jsonc.h"
#include "mcp-server/clients/ledger.h"
#include "mcp-server/clients/undo.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth::clients {
namespace {

namespace fs = std::filesystem;

/// Claude Code keeps its history in its file, which grows to some megabytes.
constexpr std::size_t config_bytes_max = 16 * 1024 * 1024;
constexpr mode_t shared_file = 0644;
constexpr mode_t shared_directory = 0755;
constexpr mode_t permission_bits = 07777;

/// The file as it is; a symbolic link stands for what it leads to.
struct File {
    fs::path path;
    bool exists = false;
    std::string text = {};
    struct stat status = {};
};

Result<File> open_file(const fs::path& named) {
    std::error_code problem;
    File file{.path = fs::weakly_canonical(named, problem)};
    if (problem) file.path = named;
    if (::stat(file.path.c_str(), &file.status) != 0) {
        // A link that leads nowhere must not be replaced by a file.
        if (errno == ENOENT && !fs::is_symlink(named, problem)) return file;
        return fail(system_error(fmt::format("read '{}'", named.string()), errno));
    }
    if (!S_ISREG(file.status.st_mode)) {
        return fail(ErrorCode::unsupported, fmt::format("'{}' is no file", file.path.string()));
    }
    file.exists = true;
    file.text = BERTH_TRY(read_file(file.path, config_bytes_max));
    return file;
}

/// Fails when somebody else has written the file since it was read: their change would be lost.
Result<> check_unchanged(const File& file) {
    const auto now = BERTH_TRY(open_file(file.path));
    if (now.exists == file.exists && now.text == file.text) return {};
    return fail(make_error(ErrorCode::busy,
                           fmt::format("'{}' has changed in the meantime", file.path.string()))
                    .next("close the client and try again"));
}

/// Replaces the text in one step and keeps mode and owner.
Result<> write_file(const File& file, std::string_view text, mode_t mode_of_new) {
    BERTH_TRY(check_unchanged(file));
    WriteOptions options{.mode = mode_of_new};
    if (file.exists) {
        options.mode = file.status.st_mode & permission_bits;
        if (file.status.st_uid != ::geteuid()) options.owner = file.status.st_uid;
        if (file.status.st_gid != ::getegid()) options.group = file.status.st_gid;
    }
    return write_file_atomically(file.path, text, options);
}

std::string diff_of(const File& file, std::string_view after, bool exists_after) {
    const auto name = file.path.string();
    constexpr const char* nothing = "/dev/null";
    return unified_diff(file.exists ? name : nothing, file.text, exists_after ? name : nothing,
                        after);
}

/// A file that berth does not understand is told about, with what a person can do.
Error by_hand(Error error, const Wanted& wanted, const Json& entry, const fs::path& file) {
    if (error.code != ErrorCode::invalid_argument) return error;
    auto explained = std::move(error).in(
        fmt::format("'{}' was not understood and is left alone", file.string()));
    return std::move(explained).next(
        fmt::format("add this by hand:\n{}", snippet(*wanted.client, wanted.name, entry)));
}

/// What a file says besides the entry.
Json others_in(const Wanted& wanted, const std::string& text) {
    auto value = whole_value(*wanted.client, text).value_or(Json());
    const auto list = value.find(wanted.client->list);
    if (list == value.end() || !list->is_object()) return value;
    list->erase(wanted.name);
    if (list->empty()) value.erase(list);
    return value;
}

/// The text as it was before what `record` tells was put in, if both mean the same but for the
/// entry: that is the proof.
std::optional<std::string> before_install(const Wanted& wanted, const std::string& text,
                                          const Record& record) {
    auto before = undone(record.edit, text);
    if (!before || !entry_in(*wanted.client, *before, wanted.name)) return std::nullopt;
    if (others_in(wanted, *before) != others_in(wanted, text)) return std::nullopt;
    return before;
}

/// Nothing but the braces of an object: no comment either.
bool says_nothing(std::string text) {
    std::erase_if(text, [](char c) { return std::string_view(" \t\r\n").contains(c); });
    return text.empty() || text == "{}";
}

struct Removal {
    std::string text;
    bool file_too = false;  // berth made it, and nothing else is in it
    std::string change = "removed";
};

Result<Removal> removal(const Wanted& wanted, const File& file,
                        const std::optional<Record>& record) {
    if (record) {
        auto before = before_install(wanted, file.text, *record);
        if (before) {
            const bool had_one = !entry_in(*wanted.client, *before, wanted.name)->is_null();
            const bool file_too = record->made_file && before->empty();
            return Removal{*std::move(before), file_too, had_one ? "restored" : "removed"};
        }
    }
    const bool made_list = record && record->made_list;
    auto text = BERTH_TRY(remove_entry(*wanted.client, file.text, wanted.name, made_list));
    const bool file_too = record && record->made_file && says_nothing(text);
    return Removal{.text = std::move(text), .file_too = file_too};
}

std::string describe(const Json& entry) {
    return entry.is_null() ? "" : to_pretty_text(entry) + "\n";
}

Error other_entry(const Wanted& wanted, const Json& old, const Json& entry, const File& file) {
    const auto difference = unified_diff("there", describe(old), "wanted", describe(entry));
    return make_error(ErrorCode::already_exists,
                      fmt::format("'{}' has another entry '{}':\n{}", file.path.string(),
                                  wanted.name, difference))
        .next("--force to replace it, or another --name");
}

}  // namespace

Result<Outcome> install(const Wanted& wanted, const Server& server, bool force,
                        const Places& places) {
    const auto& client = *wanted.client;
    const auto file = BERTH_TRY(open_file(client.file(wanted.scope, places)));
    const auto entry = client.entry(server);
    const auto old = entry_in(client, file.text, wanted.name);
    if (!old) return fail(by_hand(old.error(), wanted, entry, file.path));
    if (same(*old, entry)) return Outcome{.file = file.path, .change = "none", .diff = ""};
    if (!old->is_null() && !force) return fail(other_entry(wanted, *old, entry, file));

    auto ledger = Ledger::read(places.state);
    const auto path = file.path.string();
    const auto earlier = old->is_null() ? std::nullopt : ledger.find(path, wanted.name);
    // What berth itself had put in is taken out first, so that uninstall goes back to before that.
    auto original = earlier ? before_install(wanted, file.text, *earlier) : std::nullopt;
    const bool ours = original.has_value();
    if (!ours) original = file.text;
    auto text = add_entry(client, *original, wanted.name, entry);
    if (!text) return fail(by_hand(text.error(), wanted, entry, file.path));

    const Outcome outcome{.file = file.path,
                          .change = old->is_null() ? "added" : "replaced",
                          .diff = diff_of(file, *text, true)};
    if (wanted.dry_run) return outcome;
    Record record{.file = path, .name = wanted.name, .made_file = !file.exists};
    if (ours) record = *earlier;
    const auto list = whole_value(client, *original).value_or(Json());
    record.made_list = !list.contains(client.list);
    record.edit = edit_between(*original, *text);
    const bool user = wanted.scope == Scope::user;
    const auto made = BERTH_TRY(
        make_and_tell(file.path.parent_path(), user ? private_directory : shared_directory));
    record.made_directories.insert(record.made_directories.end(), made.begin(), made.end());
    // The ledger first: a record of an entry that is not there does no harm.
    auto written = ledger.put(record);
    if (written) written = write_file(file, *text, user ? private_file : shared_file);
    if (written) return outcome;
    if (!ours) (void)ledger.forget(path, wanted.name);
    remove_empty(made);
    return fail(std::move(written).error());
}

Result<Outcome> uninstall(const Wanted& wanted, const Places& places) {
    const auto& client = *wanted.client;
    const auto file = BERTH_TRY(open_file(client.file(wanted.scope, places)));
    const auto path = file.path.string();
    auto ledger = Ledger::read(places.state);
    const auto record = ledger.find(path, wanted.name);
    const auto entry = entry_in(client, file.text, wanted.name);
    const auto remove_by_hand = fmt::format("remove '{}' from it by hand", wanted.name);
    if (!entry) {
        return fail(Error(entry.error())
                        .in(fmt::format("'{}' was not understood and is left alone", path))
                        .next(remove_by_hand));
    }
    if (entry->is_null()) {
        if (!wanted.dry_run) BERTH_TRY(ledger.forget(path, wanted.name));
        return Outcome{.file = file.path, .change = "none", .diff = ""};
    }
    const auto after = removal(wanted, file, record);
    if (!after) {
        return fail(
            Error(after.error()).in(fmt::format("'{}' is left alone", path)).next(remove_by_hand));
    }
    const auto shown = after->file_too ? std::string() : after->text;
    Outcome outcome{
        .file = file.path, .change = after->change, .diff = diff_of(file, shown, !after->file_too)};
    if (wanted.dry_run) return outcome;
    if (after->file_too) {
        BERTH_TRY(check_unchanged(file));
        if (::unlink(file.path.c_str()) != 0) {
            return fail(system_error(fmt::format("remove '{}'", path), errno));
        }
    } else {
        BERTH_TRY(write_file(file, after->text, private_file));
    }
    if (record) remove_empty(record->made_directories);
    BERTH_TRY(ledger.forget(path, wanted.name));
    return outcome;
}

Json list_entries(const std::string& name, const Places& places) {
    Json list = Json::array();
    for (const auto& client : all_clients()) {
        for (const auto scope : {Scope::user, Scope::project}) {
            const auto named = client.file(scope, places);
            Json row{{"client", client.name}, {"scope", name_of(scope)}, {"installed", false}};
            const auto file = open_file(named);
            const auto entry = file ? entry_in(client, file->text, name)
                                    : Result<Json>(std::unexpected(file.error()));
            if (!entry) {
                row["problem"] = entry.error().message;
            } else if (entry->is_object()) {
                row["installed"] = true;
                row["leads_to"] = target_of(*entry);
            }
            row["file"] = named.string();
            list.push_back(std::move(row));
        }
    }
    return {{"clients", std::move(list)}};
}

}  // namespace berth::clients
