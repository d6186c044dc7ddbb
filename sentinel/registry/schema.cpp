// SPDX-License-Identifier: Apache-2.0
#include "sentinel/registry/schema.h"

#include "tools-schema/contract/json.h"

#include <array>

namespace berth::sentinel {
namespace {

constexpr std::string_view first_schema = R"(
CREATE TABLE credentials (
    id         TEXT NOT NULL PRIMARY KEY,
    digest     TEXT NOT NULL UNIQUE,  -- SHA-256 of the token
    pools      TEXT NOT NULL,         -- a JSON array of names
    created_at TEXT NOT NULL
) STRICT;

-- What is refused for ever, also when the command line has it.
CREATE TABLE revoked (
    digest     TEXT NOT NULL PRIMARY KEY,
    id         TEXT NOT NULL,
    revoked_at TEXT NOT NULL
) STRICT;

CREATE TABLE names (
    key  TEXT NOT NULL PRIMARY KEY,  -- "shop.example", ".shop.example" for those below it
    pool TEXT NOT NULL
) STRICT;

-- Leases of kind ttl, so that the next process routes before the first beat.
CREATE TABLE registrations (
    pool          TEXT    NOT NULL,
    host          TEXT    NOT NULL,
    hostname      TEXT    NOT NULL,
    aliases       TEXT    NOT NULL,
    base_domains  TEXT    NOT NULL,
    address       TEXT    NOT NULL,
    generation    INTEGER NOT NULL,
    identity      TEXT    NOT NULL,
    backend_id    TEXT    NOT NULL,
    registered_ms INTEGER NOT NULL,
    PRIMARY KEY (pool, host)
) STRICT;

CREATE TABLE warnings (
    type     TEXT    NOT NULL,
    entity   TEXT    NOT NULL,
    message  TEXT    NOT NULL,
    count    INTEGER NOT NULL,
    first_at TEXT    NOT NULL,
    last_at  TEXT    NOT NULL,
    PRIMARY KEY (type, entity)
) STRICT;
)";

/// Who of its pool claimed a name last; '' for nobody that is known.
constexpr std::string_view claimants = R"(
ALTER TABLE names ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE names ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::array<std::string_view, 2> migrations = {first_schema, claimants};

}  // namespace

Result<std::unique_ptr<store::Sqlite>> open_registry(const std::filesystem::path& path) {
    return store::Sqlite::open(path, migrations);
}

std::string to_column(const std::vector<std::string>& texts) {
    return to_text(Json(texts));
}

std::vector<std::string> from_column(const store::Value& value) {
    std::vector<std::string> out;
    const auto list = parse_json(store::text(value));
    if (!list || !list->is_array()) return out;
    for (const Json& one : *list) {
        if (one.is_string()) out.push_back(one.get<std::string>());
    }
    return out;
}

}  // namespace berth::sentinel
