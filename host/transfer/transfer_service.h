// SPDX-License-Identifier: Apache-2.0
// Containers out of this host and into it, as streams. An export is the layers that a container
// stands on and a copy of what it has changed since; an import is a container that stands on those.
#pragma once

#include "host/container/container_service.h"
#include "host/image/image_store.h"
#include "host/snapshot/layer_store.h"
#include "host/store/devices.h"
#include "host/store/layers.h"
#include "host/store/snapshots.h"
#include "host/transfer/stream.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace berth::transfer {

struct ExportWish {
    ContainerName container;
    bool snapshots = false;
};

struct Exported {
    std::string sha256;
    std::int64_t entries = 0;
};

enum class PortsWish : std::uint8_t { keep, free, none };

struct ImportWish {
    std::optional<ContainerName> name = {};  // absent: the one it had
    PortsWish ports = PortsWish::keep;
    bool keep_identity = false;
    bool start = true;
};

struct Imported {
    container::View view;
    std::string sha256;
    std::int64_t snapshots = 0;
    std::vector<std::string> notes;  // what is not as it was
};

struct TransferOptions {
    std::filesystem::path state_dir;
    /// Whose files imported layers are on disk. Any range of containers' ids will do: a layer is
    /// only ever seen through a mount that maps them.
    std::int64_t uid_base = 0;
};

class TransferService {
public:
    TransferService(TransferOptions options, container::ContainerService& containers,
                    snapshot::LayerStore& layers, const image::ImageStore& images,
                    store::Database& database, const Clock& clock)
        : options_(std::move(options)),
          containers_(containers),
          layers_(layers),
          images_(images),
          rows_(database),
          snapshots_(database),
          devices_(database),
          clock_(clock) {}

    /// A running container stands still while its changes are copied, and goes on before the first
    /// byte is written.
    [[nodiscard]] Result<Exported> write(const ExportWish& wish, const ByteSink& sink,
                                         const container::Waiting& waiting = {});
    /// Reads all, and makes a container of it when all of it is as it should be.
    [[nodiscard]] Result<Imported> read(const ImportWish& wish, const ByteSource& source,
                                        const container::Waiting& waiting = {});
    /// Reads no more than what the stream says first, and fails as read() would, as far as that is
    /// known by then.
    [[nodiscard]] Result<Manifest> look(const ImportWish& wish, const ByteSource& source);

private:
    /// What an export consists of, and what keeps it while it is written.
    struct Plan {
        Manifest manifest;
        std::vector<store::Layer> layers;  // as in the manifest
        std::deque<snapshot::LayerStore::Pin> pins = {};
    };

    [[nodiscard]] Result<Plan> plan_of(const ExportWish& wish, const engine::Spec& spec);
    [[nodiscard]] Result<> add_chain(Plan& plan, const std::string& top);
    [[nodiscard]] Result<Exported> write_plan(Plan& plan, const ByteSink& sink,
                                              const container::Waiting& waiting);
    [[nodiscard]] Result<> check(const Manifest& manifest, const ImportWish& wish) const;
    [[nodiscard]] Result<> check_room(const Manifest& manifest) const;
    [[nodiscard]] container::CreateWish wish_of(const Manifest& manifest, const ImportWish& wish,
                                                const std::string& layer_id) const;
    [[nodiscard]] Result<> record(const Manifest& manifest, const std::vector<store::Layer>& layers,
                                  const std::string& id);

    TransferOptions options_;
    container::ContainerService& containers_;
    snapshot::LayerStore& layers_;
    const image::ImageStore& images_;
    store::Layers rows_;
    store::Snapshots snapshots_;
    store::Devices devices_;
    const Clock& clock_;
};

}  // namespace berth::transfer
