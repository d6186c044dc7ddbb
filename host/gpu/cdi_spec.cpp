// SPDX-License-Identifier: Apache-2.0
// One CDI file as a value. Unknown fields are refused, as the format wants it: what a newer version
// means by them cannot be known.
#include "host/gpu/attributes.h"
#include "host/gpu/cdi.h"
#include "host/gpu/yaml.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace berth {
namespace {

using gpu::cdi::ContainerEdits;
using gpu::cdi::Device;
using gpu::cdi::Hook;
using gpu::cdi::Mount;
using gpu::cdi::NodeEdit;

constexpr Bounds items{.length_max = 4096};  // of any list in a spec
constexpr Bounds text{.length_max = 4096};   // a path's length in Linux, and of any other string
constexpr Bounds uint32{.minimum = 0, .maximum = 0xffffffff};

bool is_absolute(std::string_view path) {
    return path.starts_with('/') && !path.contains('\0') &&
           !(std::string(path) + "/").contains("/../");
}

void require_absolute(const std::optional<std::string>& path, const std::string& pointer,
                      std::string_view key, Problems& problems) {
    if (path && !is_absolute(*path))
        problems.add(pointer_to(pointer, key), "must be an absolute path without '..'");
}

void require_assignments(const std::optional<std::vector<std::string>>& list,
                         const std::string& pointer, std::string_view key, Problems& problems) {
    if (!list) return;
    for (std::size_t at = 0; at < list->size(); ++at) {
        const auto equals = (*list)[at].find('=');
        if (equals == 0 || equals == std::string::npos || (*list)[at].contains('\0'))
            problems.add(pointer_to(pointer_to(pointer, key), at), "must be NAME=value");
    }
}

template <class Number>
std::optional<Number> narrowed(const std::optional<std::int64_t>& value) {
    return value ? std::optional(static_cast<Number>(*value)) : std::nullopt;
}

}  // namespace

template <>
struct Decode<NodeEdit> {
    static std::optional<NodeEdit> read(const Json& value, const std::string& pointer,
                                        const Bounds&, Problems& problems) {
        ObjectReader object(
            value, pointer,
            {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"},
            problems);
        const auto path = object.required<std::string>("path", text);
        const auto host_path = object.optional<std::string>("hostPath", text);
        const auto type = object.optional<std::string>("type", text);
        const auto permissions = object.optional<std::string>("permissions", text);
        constexpr Bounds major{.minimum = 0, .maximum = 0xfff};  // of dev_t in the kernel
        constexpr Bounds minor{.minimum = 0, .maximum = 0xfffff};
        constexpr Bounds mode{.minimum = 0, .maximum = 0xffffffff};  // with a file type, in some
        NodeEdit edit{.path = path.value_or(""),
                      .host_path = host_path.value_or(""),
                      .type = type.value_or(""),
                      .major = object.optional<std::int64_t>("major", major),
                      .minor = object.optional<std::int64_t>("minor", minor)};
        edit.file_mode = narrowed<std::uint32_t>(object.optional<std::int64_t>("fileMode", mode));
        edit.uid = narrowed<std::uint32_t>(object.optional<std::int64_t>("uid", uint32));
        edit.gid = narrowed<std::uint32_t>(object.optional<std::int64_t>("gid", uint32));
        require_absolute(path, pointer, "path", problems);
        if (host_path && !host_path->empty())
            require_absolute(host_path, pointer, "hostPath", problems);
        constexpr std::array<std::string_view, 5> types{"", "b", "c", "u", "p"};
        if (std::ranges::find(types, edit.type) == types.end())
            problems.add(pointer_to(pointer, "type"), "must be b, c, u or p");
        if (permissions && !permissions->empty()) {
            if (*permissions != "none" &&
                permissions->find_first_not_of("rwm") != std::string::npos)
                problems.add(pointer_to(pointer, "permissions"), "must be of r, w and m, or none");
            edit.permissions = *permissions == "none" ? "" : *permissions;
        }
        return edit;
    }
};

template <>
struct Decode<Mount> {
    static std::optional<Mount> read(const Json& value, const std::string& pointer, const Bounds&,
                                     Problems& problems) {
        ObjectReader object(value, pointer, {"hostPath", "containerPath", "options", "type"},
                            problems);
        const auto host_path = object.required<std::string>("hostPath", text);
        const auto container_path = object.required<std::string>("containerPath", text);
        Mount mount{.host_path = host_path.value_or(""),
                    .container_path = container_path.value_or(""),
                    .type = object.optional<std::string>("type", text).value_or(""),
                    .options = object.optional_list<std::string>("options", items, text)
                                   .value_or(std::vector<std::string>{})};
        // What is no bind mount has a name there instead, as "tmpfs" has.
        const bool binds = mount.type.empty() || mount.type == "none" || mount.type == "bind";
        if (binds) require_absolute(host_path, pointer, "hostPath", problems);
        require_absolute(container_path, pointer, "containerPath", problems);
        return mount;
    }
};

template <>
struct Decode<Hook> {
    static std::optional<Hook> read(const Json& value, const std::string& pointer, const Bounds&,
                                    Problems& problems) {
        ObjectReader object(value, pointer, {"hookName", "path", "args", "env", "timeout"},
                            problems);
        const auto name = object.required<std::string>("hookName", text);
        const auto path = object.required<std::string>("path", text);
        const auto environment = object.optional_list<std::string>("env", items, text);
        constexpr Bounds seconds{.minimum = 1, .maximum = 3600};
        const auto timeout = object.optional<std::int64_t>("timeout", seconds);
        constexpr std::array<std::string_view, 6> names{"prestart",        "createRuntime",
                                                        "createContainer", "startContainer",
                                                        "poststart",       "poststop"};
        if (name && std::ranges::find(names, *name) == names.end())
            problems.add(pointer_to(pointer, "hookName"),
                         "must be createRuntime, createContainer, startContainer, poststart, "
                         "poststop or prestart");
        require_absolute(path, pointer, "path", problems);
        require_assignments(environment, pointer, "env", problems);
        Hook hook{.name = name.value_or(""),
                  .path = path.value_or(""),
                  .arguments = object.optional_list<std::string>("args", items, text)
                                   .value_or(std::vector<std::string>{}),
                  .environment = environment.value_or(std::vector<std::string>{})};
        if (timeout) hook.timeout = std::chrono::seconds(*timeout);
        return hook;
    }
};

template <>
struct Decode<ContainerEdits> {
    static std::optional<ContainerEdits> read(const Json& value, const std::string& pointer,
                                              const Bounds&, Problems& problems) {
        ObjectReader object(
            value, pointer,
            {"env", "deviceNodes", "netDevices", "hooks", "mounts", "intelRdt", "additionalGids"},
            problems);
        ContainerEdits edits;
        const auto environment = object.optional_list<std::string>("env", items, text);
        require_assignments(environment, pointer, "env", problems);
        edits.environment = environment.value_or(std::vector<std::string>{});
        edits.device_nodes =
            object.optional_list<NodeEdit>("deviceNodes", items).value_or(std::vector<NodeEdit>{});
        edits.mounts = object.optional_list<Mount>("mounts", items).value_or(std::vector<Mount>{});
        edits.hooks = object.optional_list<Hook>("hooks", items).value_or(std::vector<Hook>{});
        const auto gids = object.optional_list<std::int64_t>("additionalGids", items, uint32)
                              .value_or(std::vector<std::int64_t>{});
        for (const auto gid : gids) {
            if (gid != 0) edits.additional_gids.push_back(static_cast<std::uint32_t>(gid));
        }
        // Both can only be refused, so no more is read than is needed for that.
        edits.intel_rdt = object.optional<Json>("intelRdt").has_value();
        const auto devices =
            object.optional_list<Json>("netDevices", items).value_or(std::vector<Json>{});
        for (std::size_t at = 0; at < devices.size(); ++at) {
            const auto here = pointer_to(pointer_to(pointer, "netDevices"), at);
            ObjectReader device(devices[at], here, {"hostInterfaceName", "name"}, problems);
            edits.net_devices.push_back(
                device.required<std::string>("hostInterfaceName", text).value_or(""));
            (void)device.required<std::string>("name", text);
        }
        return edits;
    }
};

}  // namespace berth

namespace berth::gpu::cdi {
namespace {

bool alphanumeric(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9');
}

/// A name of letters, digits and `also` that begins and ends with a letter or digit.
bool is_name(std::string_view name, std::string_view also, std::size_t length_max) {
    return !name.empty() && name.size() <= length_max && alphanumeric(name.front()) &&
           alphanumeric(name.back()) && std::ranges::all_of(name, [&](char letter) {
               return alphanumeric(letter) || also.contains(letter);
           });
}

bool begins_with_letter(std::string_view name) {
    return !name.empty() && alphanumeric(name.front()) &&
           !(name.front() >= '0' && name.front() <= '9');
}

bool is_kind(std::string_view kind) {
    const auto slash = kind.find('/');
    if (slash == std::string_view::npos) return false;
    constexpr std::size_t vendor_length_max = 253, class_length_max = 63;
    const auto vendor = kind.substr(0, slash), device_class = kind.substr(slash + 1);
    return is_name(vendor, "-_.", vendor_length_max) && begins_with_letter(vendor) &&
           is_name(device_class, "-_.", class_length_max) && begins_with_letter(device_class);
}

bool is_device(std::string_view name) {
    constexpr std::size_t length_max = 253;
    return is_name(name, "-_.:", length_max);
}

/// 300 for "0.3.0": a version's first two numbers. What the third one counts changes no format.
std::optional<int> version_number(std::string_view text) {
    if (text.starts_with('v')) text.remove_prefix(1);
    const auto first = text.find('.'), second = text.find('.', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
    const auto major = number_after(text.substr(0, first), "");
    const auto minor = number_after(text.substr(first + 1, second - first - 1), "");
    const auto patch = number_after(text.substr(second + 1), "");
    constexpr int minor_max = 99;
    if (!major || !minor || !patch || *major > minor_max || *minor > minor_max) return std::nullopt;
    return *major * 100 + *minor;
}

/// What a version has that those before it have not.
class Versions {
public:
    Versions(int has, std::string_view written, Problems& problems)
        : has_(has), written_(written), problems_(problems) {}

    void need(bool used, int since, std::string_view since_text, const std::string& pointer) {
        if (used && has_ < since)
            problems_.add(pointer, fmt::format("is of CDI {} and later, but cdiVersion is {}",
                                               since_text, written_));
    }
    void check(const ContainerEdits& edits, const std::string& pointer) {
        for (std::size_t at = 0; at < edits.device_nodes.size(); ++at)
            need(!edits.device_nodes[at].host_path.empty(), 5, "0.5.0",
                 fmt::format("{}/deviceNodes/{}/hostPath", pointer, at));
        for (std::size_t at = 0; at < edits.mounts.size(); ++at)
            need(!edits.mounts[at].type.empty(), 4, "0.4.0",
                 fmt::format("{}/mounts/{}/type", pointer, at));
        need(edits.intel_rdt, 7, "0.7.0", pointer + "/intelRdt");
        need(!edits.additional_gids.empty(), 7, "0.7.0", pointer + "/additionalGids");
        need(!edits.net_devices.empty(), 101, "1.1.0", pointer + "/netDevices");
    }

private:
    int has_;
    std::string_view written_;
    Problems& problems_;
};

void check_versions(const Spec& spec, const Json& document, Problems& problems) {
    constexpr int oldest = 3, newest = 101;
    const auto version = version_number(spec.version);
    if (!version || *version < oldest || *version > newest) {
        problems.add("/cdiVersion",
                     fmt::format("is '{}', and berth reads 0.3.0 to 1.1.0", spec.version));
        return;
    }
    Versions versions(*version, spec.version, problems);
    versions.need(document.contains("annotations"), 6, "0.6.0", "/annotations");
    const auto slash = std::min(spec.kind.find('/'), spec.kind.size());
    versions.need(spec.kind.find('.', slash) != std::string::npos, 6, "0.6.0", "/kind");
    for (std::size_t at = 0; at < spec.devices.size(); ++at) {
        const auto pointer = fmt::format("/devices/{}", at);
        versions.need(!begins_with_letter(spec.devices[at].name), 5, "0.5.0", pointer + "/name");
        versions.need(document["devices"][at].contains("annotations"), 6, "0.6.0",
                      pointer + "/annotations");
        versions.check(spec.devices[at].edits, pointer + "/containerEdits");
    }
    versions.check(spec.edits, "/containerEdits");
}

void check_annotations(const std::optional<Json>& annotations, const std::string& pointer,
                       Problems& problems) {
    if (!annotations) return;
    for (const auto& [key, value] : annotations->items()) {
        if (!value.is_string())
            problems.add(pointer_to(pointer, key),
                         fmt::format("must be a string, is {}", kind_of(value)));
    }
}

}  // namespace
}  // namespace berth::gpu::cdi

namespace berth {

template <>
struct Decode<gpu::cdi::Device> {
    static std::optional<Device> read(const Json& value, const std::string& pointer, const Bounds&,
                                      Problems& problems) {
        ObjectReader object(value, pointer, {"name", "annotations", "containerEdits"}, problems);
        const auto name = object.required<std::string>("name", text);
        if (name && !gpu::cdi::is_device(*name))
            problems.add(
                pointer_to(pointer, "name"),
                "must be letters, digits, '-', '_', '.' and ':', with a letter or digit at "
                "both ends");
        gpu::cdi::check_annotations(object.optional<Json>("annotations"),
                                    pointer_to(pointer, "annotations"), problems);
        auto edits = object.required<ContainerEdits>("containerEdits");
        if (edits && *edits == ContainerEdits{} && value["containerEdits"].empty())
            problems.add(pointer_to(pointer, "containerEdits"), "must not be empty");
        return Device{.name = name.value_or(""),
                      .edits = std::move(edits).value_or(ContainerEdits{})};
    }
};

}  // namespace berth

namespace berth::gpu::cdi {

Result<Spec> parse_spec(std::string_view text, Form form) {
    const auto document = BERTH_TRY(form == Form::yaml ? parse_yaml(text, spec_bytes_max)
                                                       : parse_json(text, spec_bytes_max));
    Problems problems;
    ObjectReader object(
        document, "", {"cdiVersion", "kind", "annotations", "devices", "containerEdits"}, problems);
    constexpr Bounds one_or_more{.length_min = 1, .length_max = 4096};
    Spec spec{
        .version = object.required<std::string>("cdiVersion").value_or(""),
        .kind = object.required<std::string>("kind").value_or(""),
        .devices =
            object.required_list<Device>("devices", one_or_more).value_or(std::vector<Device>{}),
        .edits = object.optional<ContainerEdits>("containerEdits").value_or(ContainerEdits{})};
    check_annotations(object.optional<Json>("annotations"), "/annotations", problems);
    if (!problems.empty()) return fail(problems.error());
    if (!is_kind(spec.kind))
        problems.add("/kind", "must be vendor/class, for example nvidia.com/gpu");
    for (std::size_t at = 0; at < spec.devices.size(); ++at) {
        const auto same = [&](const Device& other) { return other.name == spec.devices[at].name; };
        if (std::ranges::find_if(spec.devices.begin(),
                                 spec.devices.begin() + static_cast<std::ptrdiff_t>(at),
                                 same) != spec.devices.begin() + static_cast<std::ptrdiff_t>(at))
            problems.add(fmt::format("/devices/{}/name", at), "is there twice");
    }
    check_versions(spec, document, problems);
    if (!problems.empty()) return fail(problems.error());
    return spec;
}

Result<QualifiedName> QualifiedName::parse(std::string_view text) {
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && is_kind(text.substr(0, equals)) &&
        is_device(text.substr(equals + 1)))
        return QualifiedName{.kind = std::string(text.substr(0, equals)),
                             .device = std::string(text.substr(equals + 1))};
    return fail(ErrorCode::invalid_argument,
                "must be vendor/class=device, for example nvidia.com/gpu=0");
}

}  // namespace berth::gpu::cdi
