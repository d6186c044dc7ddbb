// SPDX-License-Identifier: Apache-2.0
// What a stream says first: whose files follow, what the container was allowed, and what it stood
// on. Its form has a version; another one is refused before anything else is read.
#pragma once

#include "host/engine/container_engine.h"
#include "host/store/containers.h"
#include "tools-schema/contract/json.h"
#include "tools-schema/contract/names.h"

#include <cstdint>
#include <string>
#include <vector>

namespace berth::transfer {

inline constexpr std::int64_t format_version = 1;

struct Manifest {
    struct Port {
        std::string protocol;
        std::int64_t host_port = 0;
        std::int64_t container_port = 0;
    };
    struct Layer {
        std::int64_t parent = -1;  // an earlier layer, by its place; -1: the image
        std::int64_t entries = 0;
        std::int64_t bytes = 0;  // of the files' content, without holes
        std::string created_at;
    };
    struct Snapshot {
        SnapshotName name;
        std::string description;
        std::string created_at;
        std::int64_t layer = 0;
    };

    std::string written_at = {};
    ContainerName name;
    ImageName image;
    std::string image_digest = {};
    engine::Limits limits = {};
    store::Lifecycle life = {};    // without the times
    std::int64_t ttl_seconds = 0;  // left to it when this was written; 0: it stays
    bool no_new_privileges = false;
    bool nesting = false;
    bool guest_socket = true;
    std::int64_t shares = 0;  // how many it had, which belong to the host
    // By name, what of the host it had, and no import gives it again:
    std::vector<std::string> share_paths = {};  // inside
    std::vector<std::string> gpus = {};         // by address
    std::vector<std::string> devices = {};      // by CDI name
    std::vector<Label> labels = {};
    std::vector<EnvAssignment> environment = {};
    std::vector<Port> ports = {};
    std::vector<SshPublicKey> ssh_keys = {};
    std::vector<Layer> layers = {};  // each behind its parent; the last one is the container's own
    std::vector<Snapshot> snapshots = {};
};

inline constexpr std::size_t manifest_bytes_max = std::size_t{16} * 1024 * 1024;
/// A container stands on at most 64, and so does each of its 256 snapshots.
inline constexpr std::size_t manifest_layers_max = std::size_t{64} * 257;

[[nodiscard]] Json to_json(const Manifest& manifest);
/// invalid_argument at the field that is wrong; unsupported for a version of the form that this
/// berth does not know.
[[nodiscard]] Result<Manifest> read_manifest(const Json& json);

}  // namespace berth::transfer
