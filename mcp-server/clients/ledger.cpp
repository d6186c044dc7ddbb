// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/clients/ledger.h"

#include "base/files.h"

#include <algorithm>
#include <ranges>

namespace berth::clients {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t ledger_bytes_max = 4 * 1024 * 1024;
constexpr const char* file_name = "mcp-clients.json";

std::vector<std::string> texts_in(const Json& object, const char* key) {
    std::vector<std::string> texts;
    for (const auto& item : object.value(key, Json::array())) {
        if (item.is_string()) texts.push_back(item.get<std::string>());
    }
    return texts;
}

Json to_json(const Record& record) {
    return {{"file", record.file},
            {"name", record.name},
            {"made_file", record.made_file},
            {"made_list", record.made_list},
            {"made_directories", record.made_directories},
            {"removed", record.edit.removed},
            {"inserted", record.edit.inserted}};
}

/// Throws Json::exception when a member has another type.
Record to_record(const Json& object) {
    return {
        .file = object.value("file", ""),
        .name = object.value("name", ""),
        .made_file = object.value("made_file", false),
        .made_list = object.value("made_list", false),
        .made_directories = texts_in(object, "made_directories"),
        .edit = {.removed = object.value("removed", ""), .inserted = object.value("inserted", "")}};
}

}  // namespace

Ledger Ledger::read(const fs::path& directory) {
    Ledger ledger(directory);
    const auto text = read_file(directory / file_name, ledger_bytes_max);
    const auto value = text ? parse_json(*text) : Result<Json>(Json());
    if (!value || !value->is_object()) return ledger;
    try {
        for (const auto& item : value->value("entries", Json::array())) {
            ledger.records_.push_back(to_record(item));
        }
        ledger.made_directories_ = texts_in(*value, "made_directories");
    } catch (const Json::exception&) {
        return Ledger(directory);
    }
    return ledger;
}

std::optional<Record> Ledger::find(const std::string& file, const std::string& name) const {
    const auto found = std::ranges::find_if(
        records_, [&](const Record& record) { return record.file == file && record.name == name; });
    if (found == records_.end()) return std::nullopt;
    return *found;
}

Result<> Ledger::put(Record record) {
    std::erase_if(records_, [&](const Record& old) {
        return old.file == record.file && old.name == record.name;
    });
    records_.push_back(std::move(record));
    return write();
}

Result<> Ledger::forget(const std::string& file, const std::string& name) {
    const auto gone = std::erase_if(
        records_, [&](const Record& record) { return record.file == file && record.name == name; });
    return gone == 0 ? Result<>{} : write();
}

Result<> Ledger::write() {
    const auto path = directory_ / file_name;
    if (records_.empty()) {
        std::error_code problem;
        fs::remove(path, problem);
        remove_empty(made_directories_);
        return {};
    }
    const auto made = BERTH_TRY(make_and_tell(directory_, private_directory));
    made_directories_.insert(made_directories_.end(), made.begin(), made.end());
    Json entries = Json::array();
    for (const auto& record : records_) entries.push_back(to_json(record));
    return write_file_atomically(
        path,
        to_pretty_text({{"entries", entries}, {"made_directories", made_directories_}}) + "\n",
        {.mode = private_file});
}

Result<std::vector<std::string>> make_and_tell(const fs::path& directory, mode_t mode) {
    std::vector<std::string> missing;
    std::error_code problem;
    for (auto at = directory; !at.empty() && !fs::exists(at, problem); at = at.parent_path()) {
        missing.push_back(at.string());
        if (at == at.parent_path()) break;
    }
    std::ranges::reverse(missing);
    BERTH_TRY(make_directories(directory, mode));
    return missing;
}

void remove_empty(const std::vector<std::string>& directories) {
    for (const auto& directory : directories | std::views::reverse) {
        std::error_code not_empty;
        if (!fs::is_directory(directory, not_empty)) continue;
        fs::remove(directory, not_empty);  // of a directory: only when it is empty
    }
}

}  // namespace berth::clients
