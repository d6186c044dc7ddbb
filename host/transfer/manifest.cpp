// SPDX-License-Identifier: Apache-2.0
#include "host/transfer/manifest.h"

#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace berth {

using transfer::Manifest;

namespace {

constexpr std::string_view version_key = "berth_export";
constexpr std::size_t text_characters_max = 1024;
constexpr std::size_t ports_max = 1024, keys_max = 1024, snapshots_max = 256, labels_max = 32,
                      variables_max = 256;
constexpr std::size_t digest_characters = 71;  // "sha256:" and 64 digits
constexpr Bounds port_bounds{.minimum = 1, .maximum = 65535};
constexpr Bounds text_bounds{.length_max = text_characters_max};
constexpr Bounds not_negative{.minimum = 0};

struct LimitField {
    std::string_view key;
    std::int64_t engine::Limits::* value;
};
constexpr std::array limit_fields{
    LimitField{"memory_bytes", &engine::Limits::memory_bytes},
    LimitField{"cpu_percent", &engine::Limits::cpu_percent},
    LimitField{"processes", &engine::Limits::processes},
    LimitField{"swap_bytes", &engine::Limits::swap_bytes},
    LimitField{"disk_bytes", &engine::Limits::disk_bytes},
    LimitField{"io_bytes_per_second", &engine::Limits::io_bytes_per_second},
    LimitField{"io_operations_per_second", &engine::Limits::io_operations_per_second},
    LimitField{"receive_bytes_per_second", &engine::Limits::receive_bytes_per_second},
    LimitField{"send_bytes_per_second", &engine::Limits::send_bytes_per_second}};

/// Lists of names, of which one that is empty is left out.
struct NamesField {
    std::string_view key;
    std::vector<std::string> Manifest::* names;
    std::size_t length_max;
};
constexpr std::array names_fields{NamesField{"share_paths", &Manifest::share_paths, 16},
                                  NamesField{"gpus", &Manifest::gpus, 64},
                                  NamesField{"devices", &Manifest::devices, 16}};
constexpr Bounds name_bounds{.length_min = 1, .length_max = 4095};

struct RestartWord {
    std::string_view word;
    store::Restart restart;
};
constexpr std::array restart_words{RestartWord{"no", store::Restart::no},
                                   RestartWord{"on-failure", store::Restart::on_failure},
                                   RestartWord{"always", store::Restart::always}};

}  // namespace

template <>
struct Decode<Manifest::Port> {
    static std::optional<Manifest::Port> read(const Json& value, const std::string& pointer,
                                              const Bounds&, Problems& problems) {
        ObjectReader in(value, pointer, {"protocol", "host_port", "container_port"}, problems);
        const auto protocol = in.required<std::string>("protocol");
        const auto host_port = in.required<std::int64_t>("host_port", port_bounds);
        const auto container_port = in.required<std::int64_t>("container_port", port_bounds);
        if (protocol && *protocol != "tcp" && *protocol != "udp")
            problems.add(pointer_to(pointer, "protocol"), "must be tcp or udp");
        if (!protocol || !host_port || !container_port) return std::nullopt;
        return Manifest::Port{
            .protocol = *protocol, .host_port = *host_port, .container_port = *container_port};
    }
};

template <>
struct Decode<Manifest::Layer> {
    static std::optional<Manifest::Layer> read(const Json& value, const std::string& pointer,
                                               const Bounds&, Problems& problems) {
        ObjectReader in(value, pointer, {"parent", "entries", "bytes", "created_at"}, problems);
        const auto parent = in.optional<std::int64_t>("parent", not_negative);
        const auto entries = in.required<std::int64_t>("entries", {.minimum = 1});
        const auto bytes = in.required<std::int64_t>("bytes", not_negative);
        const auto created_at = in.required<std::string>("created_at", text_bounds);
        if (!entries || !bytes || !created_at) return std::nullopt;
        return Manifest::Layer{.parent = parent.value_or(-1),
                               .entries = *entries,
                               .bytes = *bytes,
                               .created_at = *created_at};
    }
};

template <>
struct Decode<Manifest::Snapshot> {
    static std::optional<Manifest::Snapshot> read(const Json& value, const std::string& pointer,
                                                  const Bounds&, Problems& problems) {
        ObjectReader in(value, pointer, {"name", "description", "created_at", "layer"}, problems);
        auto name = in.required<SnapshotName>("name");
        const auto description = in.required<std::string>("description", text_bounds);
        const auto created_at = in.required<std::string>("created_at", text_bounds);
        const auto layer = in.required<std::int64_t>("layer", not_negative);
        if (!name || !description || !created_at || !layer) return std::nullopt;
        return Manifest::Snapshot{.name = *std::move(name),
                                  .description = *description,
                                  .created_at = *created_at,
                                  .layer = *layer};
    }
};

template <>
struct Decode<engine::Limits> {
    static std::optional<engine::Limits> read(const Json& value, const std::string& pointer,
                                              const Bounds&, Problems& problems) {
        ObjectReader in(value, pointer,
                        {"memory_bytes", "cpu_percent", "processes", "swap_bytes", "disk_bytes",
                         "io_bytes_per_second", "io_operations_per_second",
                         "receive_bytes_per_second", "send_bytes_per_second"},
                        problems);
        engine::Limits limits;
        for (const auto& [key, member] : limit_fields)
            limits.*member = in.required<std::int64_t>(key, not_negative).value_or(0);
        return limits;
    }
};

namespace transfer {
namespace {

Json layers_json(const Manifest& manifest) {
    Json layers = Json::array();
    for (const auto& layer : manifest.layers) {
        Json one{
            {"entries", layer.entries}, {"bytes", layer.bytes}, {"created_at", layer.created_at}};
        if (layer.parent >= 0) one["parent"] = layer.parent;
        layers.push_back(std::move(one));
    }
    return layers;
}

/// What no field alone can be wrong about.
void check_whole(const Manifest& manifest, Problems& problems) {
    const auto count = static_cast<std::int64_t>(manifest.layers.size());
    for (std::int64_t at = 0; at < count; ++at) {
        if (manifest.layers[static_cast<std::size_t>(at)].parent >= at)
            problems.add(fmt::format("/layers/{}/parent", at), "must be an earlier layer");
    }
    for (std::size_t at = 0; at < manifest.snapshots.size(); ++at) {
        if (manifest.snapshots[at].layer >= count)
            problems.add(fmt::format("/snapshots/{}/layer", at), "there is no such layer");
        for (std::size_t other = 0; other < at; ++other) {
            if (manifest.snapshots[other].name == manifest.snapshots[at].name)
                problems.add(fmt::format("/snapshots/{}/name", at), "is there twice");
        }
    }
}

void read_life(ObjectReader& in, Manifest& manifest, Problems& problems) {
    const auto restart = in.required<std::string>("restart").value_or("no");
    const auto* const found = std::ranges::find(restart_words, restart, &RestartWord::word);
    if (found == restart_words.end()) {
        problems.add("/restart", "must be no, on-failure or always");
    } else {
        manifest.life.restart = found->restart;
    }
    manifest.life.is_protected = in.required<bool>("protected").value_or(false);
    manifest.life.idle_stop_seconds =
        in.required<std::int64_t>("idle_stop_seconds", not_negative).value_or(0);
    if (in.required<bool>("delete_after_stop").value_or(false))
        manifest.life.after_stop = store::AfterStop::remove;
    manifest.ttl_seconds = in.required<std::int64_t>("ttl_seconds", not_negative).value_or(0);
    manifest.life.wake = in.required<bool>("wake").value_or(false);
    manifest.no_new_privileges = in.required<bool>("no_new_privileges").value_or(false);
    manifest.nesting = in.optional<bool>("nesting").value_or(false);
    manifest.guest_socket = in.required<bool>("guest_socket").value_or(true);
    for (const auto& [key, names, length_max] : names_fields)
        manifest.*names =
            in.optional_list<std::string>(key, {.length_max = length_max}, name_bounds)
                .value_or(std::vector<std::string>{});
    manifest.shares = in.required<std::int64_t>("shares", not_negative).value_or(0);
}

}  // namespace

Json to_json(const Manifest& manifest) {
    Json limits = Json::object();
    for (const auto& [key, member] : limit_fields)
        limits[std::string(key)] = manifest.limits.*member;
    Json ports = Json::array();
    for (const auto& port : manifest.ports)
        ports.push_back({{"protocol", port.protocol},
                         {"host_port", port.host_port},
                         {"container_port", port.container_port}});
    Json snapshots = Json::array();
    for (const auto& one : manifest.snapshots)
        snapshots.push_back({{"name", one.name.to_string()},
                             {"description", one.description},
                             {"created_at", one.created_at},
                             {"layer", one.layer}});
    const auto& life = manifest.life;
    Json json{
        {version_key, format_version},
        {"written_at", manifest.written_at},
        {"name", manifest.name.to_string()},
        {"image", manifest.image.to_string()},
        {"image_digest", manifest.image_digest},
        {"limits", std::move(limits)},
        {"restart", std::ranges::find(restart_words, life.restart, &RestartWord::restart)->word},
        {"protected", life.is_protected},
        {"idle_stop_seconds", life.idle_stop_seconds},
        {"delete_after_stop", life.after_stop != store::AfterStop::keep},
        {"ttl_seconds", manifest.ttl_seconds},
        {"wake", life.wake},
        {"no_new_privileges", manifest.no_new_privileges},
        {"guest_socket", manifest.guest_socket},
        {"shares", manifest.shares},
        {"labels", encode(manifest.labels)},
        {"ports", std::move(ports)},
        {"ssh_keys", encode(manifest.ssh_keys)},
        {"layers", layers_json(manifest)},
        {"snapshots", std::move(snapshots)}};
    // A berth that does not know these refuses them.
    for (const auto& [key, names, length_max] : names_fields)
        if (!(manifest.*names).empty()) json[std::string(key)] = manifest.*names;
    if (manifest.nesting) json["nesting"] = true;
    if (!manifest.environment.empty()) json["env"] = encode(manifest.environment);
    return json;
}

Result<Manifest> read_manifest(const Json& json) {
    const bool versioned = json.is_object() && json.contains(version_key) &&
                           json[std::string(version_key)].is_number_integer();
    if (!versioned)
        return fail(ErrorCode::invalid_argument, "it does not begin with a manifest of berth");
    if (json[std::string(version_key)] != format_version) {
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("its form has version {}, and this berth knows {} alone",
                                           to_text(json[std::string(version_key)]), format_version))
                        .next("import it with a berth as new as the one that wrote it"));
    }
    Problems problems;
    ObjectReader in(json, "",
                    {version_key,
                     "written_at",
                     "name",
                     "image",
                     "image_digest",
                     "limits",
                     "restart",
                     "protected",
                     "idle_stop_seconds",
                     "delete_after_stop",
                     "ttl_seconds",
                     "wake",
                     "guest_socket",
                     "shares",
                     "share_paths",
                     "gpus",
                     "devices",
                     "no_new_privileges",
                     "nesting",
                     "labels",
                     "env",
                     "ports",
                     "ssh_keys",
                     "layers",
                     "snapshots"},
                    problems);
    const auto written_at = in.required<std::string>("written_at", text_bounds);
    auto name = in.required<ContainerName>("name");
    auto image = in.required<ImageName>("image");
    const auto digest = in.required<std::string>(
        "image_digest", {.length_min = digest_characters, .length_max = digest_characters});
    const auto limits = in.required<engine::Limits>("limits");
    auto labels = in.required_list<Label>("labels", {.length_max = labels_max});
    auto environment = in.optional_list<EnvAssignment>("env", {.length_max = variables_max});
    auto ports = in.required_list<Manifest::Port>("ports", {.length_max = ports_max});
    auto keys = in.required_list<SshPublicKey>("ssh_keys", {.length_max = keys_max});
    auto layers = in.required_list<Manifest::Layer>(
        "layers", {.length_min = 1, .length_max = manifest_layers_max});
    auto snapshots =
        in.required_list<Manifest::Snapshot>("snapshots", {.length_max = snapshots_max});
    if (!name || !image || !problems.empty()) return fail(problems.error().in("its manifest"));
    Manifest manifest{.name = *std::move(name), .image = *std::move(image)};
    manifest.written_at = written_at.value_or("");
    manifest.image_digest = digest.value_or("");
    manifest.limits = limits.value_or(engine::Limits{});
    read_life(in, manifest, problems);
    manifest.labels = std::move(labels).value_or(std::vector<Label>{});
    manifest.environment = std::move(environment).value_or(std::vector<EnvAssignment>{});
    manifest.ports = std::move(ports).value_or(std::vector<Manifest::Port>{});
    manifest.ssh_keys = std::move(keys).value_or(std::vector<SshPublicKey>{});
    manifest.layers = std::move(layers).value_or(std::vector<Manifest::Layer>{});
    manifest.snapshots = std::move(snapshots).value_or(std::vector<Manifest::Snapshot>{});
    check_whole(manifest, problems);
    if (!problems.empty()) return fail(problems.error().in("its manifest"));
    return manifest;
}

}  // namespace transfer
}  // namespace berth
