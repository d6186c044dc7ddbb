// SPDX-License-Identifier: Apache-2.0
// The layers that containers stand on: <state>/layers/<id>, never written to once it has that name,
// with a row in the store. Directories by other names are half-made, and a start of berthd removes
// them; a layer lives as long as something stands on it.
#pragma once

#include "base/clock.h"
#include "host/engine/container_engine.h"
#include "host/store/containers.h"
#include "host/store/layers.h"

#include <filesystem>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace berth::snapshot {

/// What a layer leaves free of the file system that it is put on: this part of it, or that much
/// where this is less.
inline constexpr std::int64_t reserve_percent = 5;
inline constexpr std::int64_t reserve_bytes_max = 1 << 30;

class LayerStore {
public:
    LayerStore(store::Database& database, engine::ContainerEngine& engine, const Clock& clock,
               std::filesystem::path state_dir)
        : layers_(database),
          containers_(database),
          engine_(engine),
          clock_(clock),
          directory_(std::move(state_dir) / "layers") {}

    /// Keeps a layer while nothing stands on it yet.
    class Pin {
    public:
        Pin(LayerStore& store, std::string id);
        Pin(const Pin&) = delete;
        Pin& operator=(const Pin&) = delete;
        ~Pin();
        [[nodiscard]] const std::string& id() const { return id_; }

    private:
        LayerStore& store_;
        std::string id_;
    };
    [[nodiscard]] Pin new_layer() { return {*this, random_layer_id()}; }

    /// What a container's root is made of, besides its image.
    [[nodiscard]] Result<engine::Root> root_of(std::string_view container_id);
    /// The same for a container that would get that layer and a new root.
    [[nodiscard]] Result<engine::Root> root_on(std::string_view layer_id, std::string name);
    /// Inside a transaction: the container stands on that layer from now on.
    [[nodiscard]] Result<> put(std::string_view container_id, std::string_view layer_id,
                               std::string name);

    /// Copies what the container has changed into a layer of that id; a running container is held
    /// still meanwhile. Inserts no row, and `discard` takes it back. quota_exceeded when the
    /// container would stand on more layers than there may be, or too little of the host's disk
    /// would be left. Several at once are not counted together.
    [[nodiscard]] Result<store::Layer> take(const engine::Spec& spec,
                                            const std::string& image_digest, const std::string& id,
                                            const std::stop_token& cancelled);
    [[nodiscard]] Result<> insert(const store::Layer& layer) { return layers_.insert(layer); }
    void discard(const std::string& id) noexcept;
    /// Lets a container go on that a copy has held still and could not let go.
    [[nodiscard]] Result<> release(std::string_view container_id);

    // Layers that come from elsewhere: made in a directory of their own, which goes with the next
    // start of berthd, until each is put in its place.

    [[nodiscard]] static std::string random_layer_id();
    /// An empty directory, which whoever asks for it removes.
    [[nodiscard]] Result<std::filesystem::path> make_stage();
    /// Makes durable what was made at `from`, and the layer of that id of it. Inserts no row.
    [[nodiscard]] Result<> place(const std::filesystem::path& from, const std::string& id);
    /// Discards those of them that have no row.
    void discard_unknown(const std::vector<std::string>& ids) noexcept;
    /// Where a layer's files are.
    [[nodiscard]] std::filesystem::path tree(std::string_view id) const { return directory_ / id; }

    /// Removes what nothing stands on any more. What fails is removed by recover().
    void collect() noexcept;
    /// After a start of berthd, before anything else is done with containers: those that were held
    /// still go on, and what was half-made goes.
    [[nodiscard]] Result<> recover();
    /// Removes every layer that nothing stands on, and the directory of layers when it is empty.
    [[nodiscard]] Result<> tear_down();

private:
    [[nodiscard]] Result<engine::Copied> copy(const engine::Spec& spec,
                                              const std::filesystem::path& to, bool hold,
                                              const std::stop_token& cancelled);
    [[nodiscard]] Result<> remove_unknown();
    void remove_half_made(const std::filesystem::path& made,
                          std::string_view container_id) noexcept;
    /// Before a copy of what that container has changed.
    [[nodiscard]] Result<> check_reserve(const engine::Spec& spec);

    store::Layers layers_;
    store::Containers containers_;
    engine::ContainerEngine& engine_;
    const Clock& clock_;
    std::filesystem::path directory_;
    std::mutex mutex_;
    std::multiset<std::string> pinned_;
};

}  // namespace berth::snapshot
