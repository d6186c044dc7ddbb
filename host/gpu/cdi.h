// SPDX-License-Identifier: Apache-2.0
// Devices as their vendors describe them to container runtimes: the Container Device Interface
// (https://github.com/cncf-tags/container-device-interface), versions 0.3.0 to 1.1.0.
#pragma once

#include "host/gpu/nodes.h"
#include "host/gpu/roots.h"
#include "tools-schema/contract/json.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::gpu::cdi {

inline constexpr std::size_t specs_max = 256;                   // files in both directories
inline constexpr std::size_t spec_bytes_max = 4 * 1024 * 1024;  // of one file
inline constexpr std::size_t devices_max = 64;                  // asked for at once

/// A device node as a spec writes it; what it leaves out is read from the node of this machine.
struct NodeEdit {
    std::string path;            // in the container
    std::string host_path = {};  // "": as `path`
    std::string type = {};       // "", "b", "c", "u" (a c without a buffer) or "p"
    std::optional<std::int64_t> major = {}, minor = {};
    std::optional<std::uint32_t> file_mode = {};
    std::optional<std::string> permissions = {};  // nothing: "rwm"; "none": ""
    std::optional<std::uint32_t> uid = {}, gid = {};
    bool operator==(const NodeEdit&) const = default;
};

struct Mount {
    std::string host_path;
    std::string container_path;
    std::string type = {};  // "": a bind mount
    std::vector<std::string> options = {};
    bool operator==(const Mount&) const = default;
};

struct Hook {
    std::string
        name;  // createRuntime, createContainer, startContainer, poststart, poststop, prestart
    std::string path;                         // absolute
    std::vector<std::string> arguments = {};  // with argv[0]
    std::vector<std::string> environment = {};
    std::optional<std::chrono::seconds> timeout = {};
    bool operator==(const Hook&) const = default;
};

/// What a spec wants done to a container, as written.
struct ContainerEdits {
    std::vector<std::string> environment = {};  // "NAME=value"
    std::vector<NodeEdit> device_nodes = {};
    std::vector<Mount> mounts = {};
    std::vector<Hook> hooks = {};
    std::vector<std::uint32_t> additional_gids = {};  // without 0, which the format ignores
    bool intel_rdt = false;                           // and what berth cannot do for it
    std::vector<std::string> net_devices = {};        // names on the host; nor these
    bool operator==(const ContainerEdits&) const = default;
};

struct Device {
    std::string name;
    ContainerEdits edits;
};

/// One file's content.
struct Spec {
    std::string version;
    std::string kind;  // "nvidia.com/gpu"
    std::vector<Device> devices;
    ContainerEdits edits;  // once, when any of its devices is asked for
};

/// Reads one spec. invalid_argument with the JSON Pointer of what is wrong: unknown fields, fields
/// that its cdiVersion does not have yet, paths that are not absolute, …
enum class Form : std::uint8_t { json, yaml };
[[nodiscard]] Result<Spec> parse_spec(std::string_view text, Form form = Form::json);

/// "nvidia.com/gpu=0" in its parts; invalid_argument on anything else.
struct QualifiedName {
    std::string kind;
    std::string device;
    [[nodiscard]] static Result<QualifiedName> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const { return kind + "=" + device; }
    auto operator<=>(const QualifiedName&) const = default;
};

/// What is to be done to a container, with the numbers that the kernel has given now.
struct Edits {
    std::vector<std::string> environment = {};
    std::vector<DeviceNode> device_nodes = {};
    std::vector<Mount> mounts = {};
    std::vector<Hook> hooks = {};
    std::vector<std::uint32_t> additional_gids = {};
};

/// All specs of a machine, as they are at one moment.
class Specs {
public:
    /// Reads both directories; a file that cannot be used is a problem, and the others count.
    [[nodiscard]] static Specs read(const Roots& roots);

    /// Everything asked for, in order, each spec's common edits once and first, without repetition.
    /// Errors name the device by `pointer`/INDEX: not_found with what there is instead (and the
    /// file that would have had it, if it is broken), invalid_argument for what two files of one
    /// directory define, unsupported for intelRdt and netDevices, unavailable for a node that is
    /// not there.
    [[nodiscard]] Result<Edits> resolve(std::span<const std::string> names,
                                        std::string_view pointer = "/devices") const;

    /// The first device of that kind whose nodes open `gpu` and nothing else; nothing without one.
    [[nodiscard]] std::optional<std::string> describing(const Chosen& gpu, std::string_view kind,
                                                        std::span<const Gpu> inventory) const;

    /// Names of all devices that can be asked for, in order.
    [[nodiscard]] std::vector<std::string> names() const;
    /// The edits of one device, without the common ones; nullptr when there is none of that name.
    [[nodiscard]] const ContainerEdits* find(const std::string& name) const;

    struct Problem {
        std::filesystem::path file;
        std::string message;
    };
    [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

private:
    struct File {
        std::filesystem::path path;
        Spec spec;
    };
    struct Place {
        std::size_t file = 0;    // in files_
        std::size_t device = 0;  // in its spec
        int priority = 0;        // the directory: later wins
        bool twice = false;      // two files of that directory have it
    };
    void add_directory(const std::filesystem::path& directory, int priority);
    void add_file(const std::filesystem::path& path, Form form, int priority);
    [[nodiscard]] Error none_of(const std::string& name) const;

    Roots roots_ = {};
    std::vector<File> files_ = {};
    std::map<std::string, Place> places_ = {};  // by qualified name
    std::vector<Problem> problems_ = {};
};

/// What berth's own spec is called: a domain that belongs to nobody, as only one machine reads it.
inline constexpr std::string_view own_kind = "berth.internal/gpu";

/// A spec of the GPUs of this machine: each by its address (with '/' written as '-' for MIG
/// instances), and "all". GPUs that have no nodes now are left out; unavailable without any.
[[nodiscard]] Result<Json> spec_of(std::span<const Gpu> inventory, const Roots& roots);

/// Writes it, whole or not at all, with the directory that it goes to.
[[nodiscard]] Result<> write_spec(const Json& spec, const std::filesystem::path& path);

}  // namespace berth::gpu::cdi
