// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/config/config.h"

#include "base/files.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <set>

namespace berth {
namespace {

constexpr std::int64_t config_version = 1;

std::string place_of(const std::string& name, const toml::source_region& source) {
    return fmt::format("{}:{}:{}", name, source.begin.line, source.begin.column);
}

}  // namespace

struct ConfigFile::Document {
    toml::table table;
    std::string name;
    std::set<std::string, std::less<>> asked;
    std::set<std::string, std::less<>> opened;  // tables, and arrays of them, that are walked
    std::vector<std::string> problems;

    const toml::node* find(std::string_view key) {
        asked.emplace(key);
        return table.at_path(key).node();
    }

    void add(const toml::source_region& source, std::string why) {
        problems.push_back(fmt::format("{}: {}", place_of(name, source), why));
    }

    /// The value of a key when it has the type; a problem when it has another.
    template <class T>
    std::optional<T> value(std::string_view key, std::string_view kind) {
        const toml::node* node = find(key);
        if (node == nullptr) return std::nullopt;
        auto value = node->value_exact<T>();
        if (!value) add(node->source(), fmt::format("{} must be {}", key, kind));
        return value;
    }

    void find_unknown(const toml::table& in, const std::string& prefix) {
        for (const auto& [key, node] : in) {
            const std::string path = prefix + std::string(key.str());
            if (asked.contains(path)) continue;
            if (const auto* inner = node.as_table(); inner && leads_somewhere(path)) {
                find_unknown(*inner, path + ".");
            } else if (opened.contains(path)) {
                find_unknown_in_each(node, path);
            } else {
                add_unknown(path, key.source());
            }
        }
    }

    void find_unknown_in_each(const toml::node& node, const std::string& path) {
        const toml::array* array = node.as_array();
        for (std::size_t at = 0; array != nullptr && at < array->size(); ++at) {
            if (const auto* item = (*array)[at].as_table()) {
                find_unknown(*item, fmt::format("{}[{}].", path, at));
            }
        }
    }

    void add_unknown(const std::string& path, const toml::source_region& source) {
        const std::string meant = nearest(path, {asked.begin(), asked.end()});
        add(source, fmt::format("unknown key '{}'{}", path,
                                meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
    }

    [[nodiscard]] bool leads_somewhere(const std::string& path) const {
        if (opened.contains(path)) return true;
        const auto next = asked.lower_bound(path + ".");
        return next != asked.end() && next->starts_with(path + ".");
    }
};

ConfigFile::ConfigFile(std::unique_ptr<Document> document) : document_(std::move(document)) {}
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;
ConfigFile& ConfigFile::operator=(ConfigFile&&) noexcept = default;
ConfigFile::~ConfigFile() = default;

Result<ConfigFile> ConfigFile::read(const std::filesystem::path& path) {
    return parse(BERTH_TRY(read_file(path)), path.string());
}

Result<ConfigFile> ConfigFile::parse(std::string_view text, std::string name) {
    auto document = std::make_unique<Document>();
    try {
        document->table = toml::parse(text);
    } catch (const toml::parse_error& problem) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{}: {}", place_of(name, problem.source()), problem.description()));
    }
    document->name = std::move(name);
    return ConfigFile(std::move(document));
}

ConfigFile ConfigFile::empty() {
    auto document = std::make_unique<Document>();
    document->table.insert("version", config_version);
    return ConfigFile(std::move(document));
}

std::optional<std::string> ConfigFile::string(std::string_view key) {
    return document_->value<std::string>(key, "a string");
}

std::optional<bool> ConfigFile::boolean(std::string_view key) {
    return document_->value<bool>(key, "true or false");
}

std::optional<std::int64_t> ConfigFile::integer(std::string_view key, std::int64_t minimum,
                                                std::int64_t maximum) {
    const auto value = document_->value<std::int64_t>(key, "an integer");
    if (!value || (*value >= minimum && *value <= maximum)) return value;
    reject(key, fmt::format("must be from {} to {}", minimum, maximum));
    return std::nullopt;
}

std::optional<std::vector<std::string>> ConfigFile::strings(std::string_view key) {
    const toml::node* node = document_->find(key);
    if (node == nullptr) return std::nullopt;
    std::vector<std::string> values;
    const toml::array* array = node->as_array();
    if (array != nullptr) {
        for (const toml::node& item : *array) {
            if (auto text = item.value_exact<std::string>()) values.push_back(*std::move(text));
        }
    }
    if (array != nullptr && values.size() == array->size()) return values;
    document_->add(node->source(), fmt::format("{} must be a list of strings", key));
    return std::nullopt;
}

std::vector<std::string> ConfigFile::keys(std::string_view key) {
    document_->opened.emplace(key);
    std::vector<std::string> names;
    const toml::node* node = document_->table.at_path(key).node();
    if (node == nullptr) return names;
    const toml::table* table = node->as_table();
    if (table == nullptr) {
        document_->add(node->source(), fmt::format("{} must be a table", key));
        return names;
    }
    for (const auto& [name, value] : *table) names.emplace_back(name.str());
    return names;
}

std::size_t ConfigFile::tables(std::string_view key) {
    document_->opened.emplace(key);
    const toml::node* node = document_->table.at_path(key).node();
    if (node == nullptr) return 0;
    if (node->is_array_of_tables()) return node->as_array()->size();
    document_->add(node->source(), fmt::format("{} must be an array of tables: [[{}]]", key, key));
    return 0;
}

bool ConfigFile::has(std::string_view key) {
    return document_->find(key) != nullptr;
}

void ConfigFile::reject(std::string_view key, std::string why) {
    const toml::node* node = document_->find(key);
    if (node == nullptr) node = document_->table.at_path(key.substr(0, key.rfind('.'))).node();
    if (node != nullptr) document_->add(node->source(), fmt::format("{} {}", key, why));
}

Result<> ConfigFile::finish() {
    if (document_->find("version") == nullptr) {
        document_->problems.push_back(
            fmt::format("{}:1:1: 'version = {}' is missing", document_->name, config_version));
    }
    (void)integer("version", config_version, config_version);
    document_->find_unknown(document_->table, "");
    if (document_->problems.empty()) return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}", fmt::join(document_->problems, "\n")));
}

}  // namespace berth
