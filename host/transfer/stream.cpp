// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/stream.h"

#include "host/transfer/attributes.h"

#include <fmt/format.h>

#include <charconv>

namespace berth::transfer {
namespace {

constexpr std::string_view manifest_name = "manifest.json", end_name = "end.json";
constexpr std::string_view layers_directory = "layers/";
constexpr std::size_t end_bytes_max = 4096;
constexpr std::int64_t nanoseconds_max = 999'999'999;
constexpr mode_t document_mode = 0600;

std::string digest_of(std::string_view text) {
    TreeDigest digest;
    digest.add(text);
    return digest.finish();
}

std::string place_of(std::size_t layer, const std::string& path) {
    return path.empty() ? fmt::format("{}{}", layers_directory, layer)
                        : fmt::format("{}{}/{}", layers_directory, layer, path);
}

std::unexpected<Error> refused(std::string_view why) {
    return fail(ErrorCode::invalid_argument, std::string(why));
}

Result<> check_values(const Entry& entry) {
    const auto is_id = [](std::int64_t id) { return id >= 0 && id < engine::ids_per_container; };
    if (!is_id(entry.uid) || !is_id(entry.gid))
        return refused("an owner in it is none of a container");
    if (entry.size < 0) return refused("a size in it is negative");
    if (entry.modified.nanoseconds < 0 || entry.modified.nanoseconds > nanoseconds_max)
        return refused("a time in it is none");
    if (entry.kind == Kind::symbolic_link &&
        (entry.target.empty() || entry.target.size() > path_bytes_max))
        return refused("a symbolic link in it leads nowhere");
    std::size_t bytes = 0;
    for (const auto& [name, value] : entry.attributes) {
        (void)BERTH_TRY(outside_attribute(name, value, 0));
        bytes += name.size() + value.size();
    }
    if (bytes > attribute_bytes_max) return refused("an entry in it has too many attributes");
    return {};
}

/// "layers/3/etc/passwd" becomes 3, and the path "etc/passwd".
Result<std::int64_t> take_layer(std::string& path) {
    std::string_view rest = path;
    std::int64_t layer = -1;
    if (rest.starts_with(layers_directory)) {
        rest.remove_prefix(layers_directory.size());
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        if (error != std::errc() || (!rest.empty() && rest.front() != '/')) layer = -1;
    }
    if (layer < 0) return refused("there is something in it that belongs to no layer");
    path = rest.empty() ? std::string() : std::string(rest.substr(1));
    return layer;
}

}  // namespace

Result<> StreamWriter::document(std::string_view name, const Json& json) {
    const auto text = to_pretty_text(json) + "\n";
    const auto size = static_cast<std::int64_t>(text.size());
    BERTH_TRY(pax_.begin({.path = std::string(name),
                          .mode = document_mode,
                          .size = size,
                          .extents = {{.offset = 0, .bytes = size}}}));
    if (name == manifest_name) manifest_digest_ = digest_of(text);
    return pax_.content(0, text);
}

Result<> StreamWriter::manifest(const Manifest& manifest) {
    return document(manifest_name, to_json(manifest));
}

Result<> StreamWriter::begin(std::size_t layer, Entry entry) {
    entry.path = place_of(layer, entry.path);
    if (entry.kind == Kind::hard_link) entry.target = place_of(layer, entry.target);
    files_.begin(entry);
    return pax_.begin(entry);
}

Result<> StreamWriter::content(std::int64_t offset, std::string_view bytes) {
    files_.content(offset, bytes);
    return pax_.content(offset, bytes);
}

Result<std::string> StreamWriter::finish() {
    const auto digest = files_.finish();
    BERTH_TRY(document(end_name, {{"manifest_sha256", manifest_digest_}, {"sha256", digest}}));
    BERTH_TRY(pax_.finish());
    return digest;
}

Result<Json> StreamReader::document(const Entry& entry, std::size_t bytes_max) {
    if (entry.kind != Kind::file || entry.size < 0 ||
        static_cast<std::size_t>(entry.size) > bytes_max)
        return refused(fmt::format("'{}' in it is too long", entry.path));
    std::string text;
    BERTH_TRY(pax_.content([&](std::int64_t offset, std::string_view bytes) -> Result<> {
        if (offset != static_cast<std::int64_t>(text.size()) ||
            text.size() + bytes.size() > bytes_max)
            return refused("a document in it has holes");
        text += bytes;
        return {};
    }));
    if (entry.path == manifest_name) manifest_digest_ = digest_of(text);
    return parse_json(text, bytes_max);
}

Result<Manifest> StreamReader::manifest() {
    const auto first = BERTH_TRY(pax_.next());
    if (!first || first->path != manifest_name)
        return refused("it does not begin with a manifest of berth");
    return read_manifest(BERTH_TRY(document(*first, manifest_bytes_max)));
}

Result<> StreamReader::check_layer_whole(const Manifest& manifest) const {
    if (layer_ < 0) return {};
    const auto& wanted = manifest.layers[static_cast<std::size_t>(layer_)];
    if (entries_ == wanted.entries && bytes_ == wanted.bytes) return {};
    return refused(fmt::format("layer {} in it is not whole", layer_));
}

/// Where it lies, and that its directory came before it: the one open now, or one above that.
Result<> StreamReader::place(Entry& entry) {
    if (entry.path.empty()) {
        if (entry.kind != Kind::directory) return refused("the top of a layer is no directory");
        directory_.clear();
        return {};
    }
    BERTH_TRY(check_path(entry.path));
    const auto parent = parent_of(entry.path);
    const bool open =
        parent.empty() || directory_ == parent || directory_.starts_with(parent + "/");
    if (!open) return refused("an entry in it comes before its directory");
    directory_ = entry.kind == Kind::directory ? entry.path : parent;
    return {};
}

Result<> StreamReader::take(const Manifest& manifest, Entry entry, EntryTaker& taker) {
    files_.begin(entry);
    const auto layer = BERTH_TRY(take_layer(entry.path));
    if (layer != layer_) {
        BERTH_TRY(check_layer_whole(manifest));
        const bool next = layer == layer_ + 1 && entry.path.empty() &&
                          layer < static_cast<std::int64_t>(manifest.layers.size());
        if (!next) return refused("its layers are not in order");
        layer_ = layer;
        entries_ = bytes_ = 0;
    } else if (entry.path.empty()) {
        return refused("a layer in it has two tops");
    }
    BERTH_TRY(place(entry));
    if (entry.kind == Kind::hard_link) {
        if (BERTH_TRY(take_layer(entry.target)) != layer_)
            return refused("a hard link in it leads to another layer");
        BERTH_TRY(check_path(entry.target));
    }
    BERTH_TRY(check_values(entry));
    const auto& wanted = manifest.layers[static_cast<std::size_t>(layer_)];
    if (++entries_ > wanted.entries) return refused("there is more in it than its manifest says");
    BERTH_TRY(taker.begin(static_cast<std::size_t>(layer_), entry));
    BERTH_TRY(pax_.content([&](std::int64_t offset, std::string_view bytes) -> Result<> {
        bytes_ += static_cast<std::int64_t>(bytes.size());
        const auto end = offset + static_cast<std::int64_t>(bytes.size());
        if (entry.kind != Kind::file || offset < 0 || end > entry.size || bytes_ > wanted.bytes)
            return refused("there is more in it than its manifest says");
        files_.content(offset, bytes);
        return taker.content(offset, bytes);
    }));
    return taker.end();
}

Result<std::string> StreamReader::end(const Manifest& manifest, const Entry& entry) {
    BERTH_TRY(check_layer_whole(manifest));
    if (layer_ + 1 != static_cast<std::int64_t>(manifest.layers.size()))
        return refused("there is less in it than its manifest says");
    const auto told = BERTH_TRY(document(entry, end_bytes_max));
    const auto digest = files_.finish();
    const Json wanted{{"manifest_sha256", manifest_digest_}, {"sha256", digest}};
    if (told != wanted) return refused("what was read has another digest than what was written");
    if (BERTH_TRY(pax_.next())) return refused("something follows its end");
    return digest;
}

Result<std::string> StreamReader::read(const Manifest& manifest, EntryTaker& taker) {
    for (;;) {
        auto entry = BERTH_TRY(pax_.next());
        if (!entry) return refused("it ends in the middle: it was cut short");
        if (entry->path == end_name) return end(manifest, *entry);
        BERTH_TRY(take(manifest, *std::move(entry), taker));
    }
}

}  // namespace berth::transfer
