// SPDX-License-Identifier: Apache-2.0
#include "host/store/migrations.h"

#include <array>

namespace berth::store {
namespace {

constexpr std::string_view first_schema = R"(
CREATE TABLE containers (
    id             TEXT    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    phase          TEXT    NOT NULL CHECK (phase IN ('creating', 'ready', 'deleting')),
    wanted_running INTEGER NOT NULL CHECK (wanted_running IN (0, 1)),
    image          TEXT    NOT NULL,
    image_digest   TEXT    NOT NULL,
    slot           INTEGER NOT NULL UNIQUE CHECK (slot >= 0),
    uid_base       INTEGER NOT NULL UNIQUE,
    ipv4           TEXT    NOT NULL UNIQUE,
    ssh_port       INTEGER NOT NULL UNIQUE,
    memory_bytes   INTEGER NOT NULL,
    cpu_percent    INTEGER NOT NULL,
    processes      INTEGER NOT NULL,
    host_key       TEXT    NOT NULL,
    created_at     TEXT    NOT NULL
) STRICT;

CREATE TABLE ports (
    protocol       TEXT    NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    host_port      INTEGER NOT NULL CHECK (host_port BETWEEN 1 AND 65535),
    container_id   TEXT    NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    container_port INTEGER NOT NULL CHECK (container_port BETWEEN 1 AND 65535),
    UNIQUE (protocol, host_port)
) STRICT;
CREATE INDEX ports_by_container ON ports (container_id);

CREATE TABLE ssh_keys (
    number       INTEGER NOT NULL PRIMARY KEY,  -- the order added
    container_id TEXT    NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    fingerprint  TEXT    NOT NULL,
    public_key   TEXT    NOT NULL,
    UNIQUE (container_id, fingerprint)
) STRICT;

-- One row: where the search for a free slot goes on, whatever has been deleted since.
CREATE TABLE last_slot (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 0),
    slot INTEGER NOT NULL
) STRICT;
INSERT INTO last_slot (only, slot) VALUES (0, -1);
)";

constexpr std::array steps{first_schema};

}  // namespace

std::span<const std::string_view> migrations() {
    return steps;
}

}  // namespace berth::store
