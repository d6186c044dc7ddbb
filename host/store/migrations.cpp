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

constexpr std::string_view operations_and_labels = R"(
ALTER TABLE containers ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';  -- a JSON object of strings
ALTER TABLE ports ADD COLUMN created_at TEXT NOT NULL DEFAULT '';     -- '': before this was kept

-- Work that outlives the connection of its caller.
CREATE TABLE operations (
    id         TEXT NOT NULL PRIMARY KEY,
    caller     TEXT NOT NULL,
    tool       TEXT NOT NULL,
    container  TEXT NOT NULL,  -- the one it works on; '' when there is none
    status     TEXT NOT NULL CHECK (status IN ('working', 'completed', 'failed', 'cancelled')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,  -- not before it has ended
    outcome    TEXT            -- JSON: the result, or the error
) STRICT;
CREATE INDEX operations_by_end ON operations (expires_at);

-- Calls that are to happen once, however often they are sent.
CREATE TABLE requests (
    caller     TEXT NOT NULL,
    key        TEXT NOT NULL,
    tool       TEXT NOT NULL,
    arguments  TEXT NOT NULL,  -- SHA-256 of their canonical form
    created_at TEXT NOT NULL,
    before     TEXT NOT NULL,  -- JSON: what was there then, to tell later whether it was done
    result     TEXT,           -- JSON; NULL until it is done
    PRIMARY KEY (caller, key)
) STRICT;
CREATE INDEX requests_by_age ON requests (created_at);
)";

constexpr std::string_view lifecycle = R"(
ALTER TABLE containers ADD COLUMN restart TEXT NOT NULL DEFAULT 'no'
    CHECK (restart IN ('no', 'on-failure', 'always'));
ALTER TABLE containers ADD COLUMN protected INTEGER NOT NULL DEFAULT 0 CHECK (protected IN (0, 1));
ALTER TABLE containers ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;  -- milliseconds since 1970
ALTER TABLE containers ADD COLUMN idle_stop_seconds INTEGER NOT NULL DEFAULT 0;
-- 0: stays when stopped; 1: goes, once it has been started; 2: goes
ALTER TABLE containers ADD COLUMN after_stop INTEGER NOT NULL DEFAULT 0
    CHECK (after_stop BETWEEN 0 AND 2);
ALTER TABLE containers ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;     -- milliseconds since 1970
ALTER TABLE containers ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE containers ADD COLUMN ended_at INTEGER NOT NULL DEFAULT 0;    -- milliseconds since 1970
ALTER TABLE containers ADD COLUMN ended_how TEXT NOT NULL DEFAULT '';
ALTER TABLE containers ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::string_view layers_and_snapshots = R"(
-- Files that a container had at some moment, on top of those of its parent. A layer lives as long
-- as a container, a snapshot or another layer stands on it.
CREATE TABLE layers (
    id           TEXT    NOT NULL PRIMARY KEY,
    parent       TEXT    REFERENCES layers (id),  -- NULL: the image itself
    image_digest TEXT    NOT NULL,
    uid_base     INTEGER NOT NULL,                -- of the container that it was taken from
    bytes        INTEGER NOT NULL,
    exact        INTEGER NOT NULL CHECK (exact IN (0, 1)),
    created_at   TEXT    NOT NULL
) STRICT;
CREATE INDEX layers_by_parent ON layers (parent);

-- What a container's root stands on; without a row, on its image alone.
CREATE TABLE container_roots (
    container_id TEXT NOT NULL PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
    layer_id     TEXT NOT NULL REFERENCES layers (id),
    name         TEXT NOT NULL  -- of the layer that it changes; '' for the one it was created with
) STRICT;
CREATE INDEX container_roots_by_layer ON container_roots (layer_id);

CREATE TABLE snapshots (
    number       INTEGER NOT NULL PRIMARY KEY,  -- the order taken
    container_id TEXT    NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    layer_id     TEXT    NOT NULL REFERENCES layers (id),
    created_at   TEXT    NOT NULL,
    UNIQUE (container_id, name)
) STRICT;
CREATE INDEX snapshots_by_layer ON snapshots (layer_id);
)";

constexpr std::string_view warnings = R"(
-- What was noticed to be wrong. Severity and status are numbers, so that they sort.
CREATE TABLE warnings (
    id          TEXT    NOT NULL PRIMARY KEY,
    type        TEXT    NOT NULL,
    severity    INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3),  -- info to critical
    entity      TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    first_seen  TEXT    NOT NULL,
    last_seen   TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    next        TEXT    NOT NULL,
    status      INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),  -- new, acknowledged, resolved
    resolved_at TEXT    NOT NULL CHECK ((resolved_at != '') = (status = 2)),
    UNIQUE (type, entity)
) STRICT;
)";

constexpr std::string_view more_limits = R"(
ALTER TABLE containers ADD COLUMN swap_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN disk_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN io_bytes_per_second INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN io_operations_per_second INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN receive_bytes_per_second INTEGER NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN send_bytes_per_second INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::string_view confinement = R"(
ALTER TABLE containers ADD COLUMN no_new_privileges INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::string_view shares_and_guest = R"(
ALTER TABLE containers ADD COLUMN shares TEXT NOT NULL DEFAULT '[]';  -- a JSON array of objects
ALTER TABLE containers ADD COLUMN guest_socket INTEGER NOT NULL DEFAULT 1;
ALTER TABLE containers ADD COLUMN wake INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::string_view devices = R"(
-- GPUs that containers hold. Who may hold one beside others is not said here.
CREATE TABLE gpu_leases (
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    gpu          TEXT NOT NULL,  -- a PCI address, or one with a MIG instance
    card         TEXT NOT NULL,  -- which card that was
    since        TEXT NOT NULL,
    PRIMARY KEY (container_id, gpu)
) STRICT;

CREATE TABLE cdi_devices (
    container_id TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    PRIMARY KEY (container_id, name)
) STRICT;
)";

constexpr std::string_view standby = R"(
-- Containers that are booted and wait to be claimed: nobody has used them, and nobody sees them.
CREATE TABLE standby (
    container_id TEXT NOT NULL PRIMARY KEY REFERENCES containers (id) ON DELETE CASCADE,
    template     TEXT NOT NULL  -- all that it was made as, for which it can be had
) STRICT;
)";

constexpr std::string_view owned_leases = R"(
-- Whether a GPU is held because it is what a CDI device opens, and not because it was asked for.
ALTER TABLE gpu_leases ADD COLUMN by_cdi INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gpu_leases ADD COLUMN owner TEXT NOT NULL DEFAULT '';  -- who called for it; '': nobody knows
)";

constexpr std::string_view nesting = R"(
ALTER TABLE containers ADD COLUMN nesting INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::string_view restarting = R"(
-- Whether it is stopped for a change of its files only, and runs again after that, whatever ends meanwhile.
ALTER TABLE containers ADD COLUMN restarting INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::string_view variables = R"(
-- The variables of its commands and logins: a JSON array of "NAME=value".
ALTER TABLE containers ADD COLUMN environment TEXT NOT NULL DEFAULT '[]';
)";

constexpr std::string_view up = R"(
-- Whether berthd has seen it run and has not seen it stop or end since.
ALTER TABLE containers ADD COLUMN up INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::array steps{first_schema, operations_and_labels,
                           lifecycle,    layers_and_snapshots,
                           warnings,     more_limits,
                           confinement,  shares_and_guest,
                           standby,      devices,
                           owned_leases, nesting,
                           restarting,   variables,
                           up};

}  // namespace

std::span<const std::string_view> migrations() {
    return steps;
}

}  // namespace berth::store
