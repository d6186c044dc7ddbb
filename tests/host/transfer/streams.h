// SPDX-License-Identifier: Apache-2.0
// Streams in memory: made of entries, read back into a list.
#pragma once

#include "host/transfer/stream.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace berth::transfer {

inline ByteSink into(std::string& bytes) {
    return [&bytes](std::string_view more) -> Result<> {
        bytes += more;
        return {};
    };
}

/// Gives at most `step` bytes at a time.
inline ByteSource from(const std::string& bytes, std::size_t step = 1 << 20) {
    return [&bytes, step, at = std::size_t{0}](std::span<char> to) mutable -> Result<std::size_t> {
        const auto count = std::min({to.size(), step, bytes.size() - at});
        std::copy_n(bytes.data() + at, count, to.data());
        at += count;
        return count;
    };
}

struct Item {
    Entry entry;
    std::string content = {};  // with holes as zeros
};

class ListTaker final : public EntryTaker {
public:
    Result<> begin(std::size_t, const Entry& entry) override {
        items.push_back(
            {.entry = entry, .content = std::string(static_cast<std::size_t>(entry.size), '\0')});
        return {};
    }
    Result<> content(std::int64_t offset, std::string_view bytes) override {
        data_bytes += bytes.size();
        items.back().content.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
        return {};
    }
    Result<> end() override {
        ++ended;
        return {};
    }
    std::vector<Item> items;
    std::size_t ended = 0, data_bytes = 0;
};

inline Manifest small_manifest() {
    Manifest manifest{.name = ContainerName::parse("web").value(),
                      .image = ImageName::parse("debian-12").value()};
    manifest.written_at = "2026-11-28T00:00:00Z";
    manifest.image_digest = "sha256:" + std::string(64, 'a');
    manifest.limits = {.memory_bytes = 1 << 30, .cpu_percent = 100, .processes = 100};
    return manifest;
}

/// A file whose content is all there.
inline Item file(std::string path, std::string content) {
    const auto size = static_cast<std::int64_t>(content.size());
    Item item{.entry = {.path = std::move(path), .mode = 0644, .size = size},
              .content = std::move(content)};
    if (size > 0) item.entry.extents = {{.offset = 0, .bytes = size}};
    return item;
}

inline Item directory(std::string path) {
    return {.entry = {.kind = Kind::directory, .path = std::move(path), .mode = 0755}};
}

/// One layer of these below its top, as bytes. `wrong` may change what the manifest says of it.
inline std::string stream_of(std::vector<Item> items, Manifest manifest = small_manifest(),
                             const std::function<void(Manifest&)>& wrong = {}) {
    items.insert(items.begin(), directory(""));
    manifest.layers = {{.entries = static_cast<std::int64_t>(items.size()), .created_at = "then"}};
    for (const auto& item : items)
        for (const auto& extent : item.entry.extents) manifest.layers[0].bytes += extent.bytes;
    if (wrong) wrong(manifest);
    std::string bytes;
    StreamWriter writer(into(bytes));
    REQUIRE(writer.manifest(manifest));
    for (const auto& item : items) {
        REQUIRE(writer.begin(0, item.entry));
        for (const auto& extent : item.entry.extents)
            REQUIRE(
                writer.content(extent.offset, std::string_view(item.content)
                                                  .substr(static_cast<std::size_t>(extent.offset),
                                                          static_cast<std::size_t>(extent.bytes))));
    }
    REQUIRE(writer.finish());
    return bytes;
}

inline Result<std::string> read_into(EntryTaker& taker, const std::string& bytes,
                                     std::size_t step = 1 << 20) {
    StreamReader reader(from(bytes, step));
    const auto manifest = BERTH_TRY(reader.manifest());
    return reader.read(manifest, taker);
}

}  // namespace berth::transfer
