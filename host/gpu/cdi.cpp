// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/cdi.h"

#include "base/files.h"
#include "host/gpu/attributes.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <set>

namespace berth::gpu::cdi {
namespace {

namespace fs = std::filesystem;

/// Takes the place of what has the same key, or goes behind all.
template <class Item, class Key>
void put(std::vector<Item>& list, Item item, Key key) {
    const auto same = std::ranges::find(list, std::invoke(key, item), key);
    if (same == list.end()) {
        list.push_back(std::move(item));
    } else {
        *same = std::move(item);
    }
}

std::string name_of(const std::string& assignment) {
    return assignment.substr(0, assignment.find('='));
}

Result<DeviceNode> with_numbers(const NodeEdit& edit, const Roots& roots) {
    if (edit.type == "p")
        return fail(ErrorCode::unsupported,
                    fmt::format("'{}' is to be a FIFO, which berth does not make", edit.path));
    const std::string& on_host = edit.host_path.empty() ? edit.path : edit.host_path;
    auto node = node_at(on_host, roots);
    if (!node && edit.major && edit.minor && !edit.type.empty()) {
        // It says all that is needed: the node on the host need not be there.
        node = DeviceNode{.path = edit.path, .host_path = on_host};
    }
    if (!node)
        return fail(make_error(ErrorCode::unavailable,
                               fmt::format("device node '{}': {}", on_host, node.error().message))
                        .next("load its driver, or generate the CDI spec anew"));
    struct stat status{};
    const bool there = ::stat(node->host_path.c_str(), &status) == 0;
    node->path = edit.path;
    if (!edit.type.empty()) node->type = edit.type == "b" ? 'b' : 'c';
    if (edit.major) node->major = static_cast<std::uint32_t>(*edit.major);
    if (edit.minor) node->minor = static_cast<std::uint32_t>(*edit.minor);
    constexpr mode_t permission_bits = 0777;
    if (there) node->mode = status.st_mode & permission_bits;
    if (edit.file_mode) node->mode = *edit.file_mode & permission_bits;
    node->access = edit.permissions.value_or("rwm");
    node->uid = edit.uid.value_or(0);
    node->gid = edit.gid.value_or(0);
    return *std::move(node);
}

Result<> merge(Edits& into, const ContainerEdits& edits, const Roots& roots) {
    if (edits.intel_rdt)
        return fail(make_error(ErrorCode::unsupported,
                               "it wants a class of Intel RDT, which berth does not set")
                        .next("take intelRdt out of the spec, if the device works without"));
    if (!edits.net_devices.empty())
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("it wants the network interfaces {} moved into the "
                                           "container, which berth does not do",
                                           fmt::join(edits.net_devices, ", ")))
                        .next("take netDevices out of the spec, if the device works without"));
    for (const auto& assignment : edits.environment) put(into.environment, assignment, name_of);
    for (const auto& node : edits.device_nodes)
        put(into.device_nodes, BERTH_TRY(with_numbers(node, roots)), &DeviceNode::path);
    for (const auto& mount : edits.mounts) put(into.mounts, mount, &Mount::container_path);
    into.hooks.insert(into.hooks.end(), edits.hooks.begin(), edits.hooks.end());
    for (const auto gid : edits.additional_gids) put(into.additional_gids, gid, std::identity{});
    return {};
}

}  // namespace

Specs Specs::read(const Roots& roots) {
    Specs specs;
    specs.roots_ = roots;
    specs.add_directory(roots.etc_cdi, 0);
    specs.add_directory(roots.var_run_cdi, 1);
    return specs;
}

void Specs::add_directory(const fs::path& directory, int priority) {
    for (const auto& name : names_in(directory)) {
        const fs::path path = directory / name;
        const auto extension = path.extension();
        const bool yaml = extension == ".yaml" || extension == ".yml";
        if (!yaml && extension != ".json") continue;
        if (files_.size() >= specs_max) {
            problems_.push_back({path, fmt::format("is one more than {} files", specs_max)});
            return;
        }
        add_file(path, yaml ? Form::yaml : Form::json, priority);
    }
}

void Specs::add_file(const fs::path& path, Form form, int priority) {
    const auto text = read_file(path, spec_bytes_max);
    if (!text) {
        problems_.push_back({path, text.error().message});
        return;
    }
    auto spec = parse_spec(*text, form);
    if (!spec) {
        const auto& error = spec.error();
        problems_.push_back({path, error.field.empty() || error.message.contains(error.field)
                                       ? error.message
                                       : fmt::format("{}: {}", error.field, error.message)});
        return;
    }
    const std::size_t file = files_.size();
    files_.push_back({.path = path, .spec = *std::move(spec)});
    const Spec& added = files_.back().spec;
    for (std::size_t device = 0; device < added.devices.size(); ++device) {
        const auto name =
            QualifiedName{.kind = added.kind, .device = added.devices[device].name}.to_string();
        Place place{.file = file, .device = device, .priority = priority};
        const auto known = places_.find(name);
        if (known != places_.end() && known->second.priority == priority) {
            known->second.twice = true;
            problems_.push_back({path, fmt::format("defines {}, and so does '{}'", name,
                                                   files_[known->second.file].path.string())});
            continue;
        }
        places_.insert_or_assign(name, place);
    }
}

std::vector<std::string> Specs::names() const {
    std::vector<std::string> names;
    for (const auto& [name, place] : places_) names.push_back(name);
    return names;
}

std::optional<std::string> Specs::describing(const Chosen& gpu, std::string_view kind,
                                             std::span<const Gpu> inventory) const {
    for (const auto& [name, place] : places_) {
        if (files_[place.file].spec.kind != kind) continue;
        const auto edits = resolve(std::span(&name, 1));
        if (edits && opened_by(edits->device_nodes, inventory, roots_) == std::vector{gpu})
            return name;
    }
    return std::nullopt;
}

const ContainerEdits* Specs::find(const std::string& name) const {
    const auto place = places_.find(name);
    if (place == places_.end()) return nullptr;
    return &files_[place->second.file].spec.devices[place->second.device].edits;
}

Error Specs::none_of(const std::string& name) const {
    constexpr std::size_t named_max = 8;
    auto known = names();
    const auto like = nearest(name, known);
    std::string message = fmt::format("there is no CDI device '{}'", name);
    if (!like.empty()) {
        message += fmt::format("; did you mean {}?", like);
    } else if (known.empty()) {
        message += fmt::format("; no spec in '{}' and '{}' has any", roots_.etc_cdi.string(),
                               roots_.var_run_cdi.string());
    } else {
        const auto more = known.size() > named_max ? known.size() - named_max : 0;
        known.resize(known.size() - more);
        message += fmt::format("; there are {}{}", fmt::join(known, ", "),
                               more > 0 ? fmt::format(" and {} more", more) : "");
    }
    if (!problems_.empty())
        message += fmt::format("; '{}' was not used: {}", problems_.front().file.string(),
                               problems_.front().message);
    return make_error(ErrorCode::not_found, std::move(message))
        .next("put the vendor's CDI spec into /etc/cdi, for NVIDIA with 'nvidia-ctk cdi generate'");
}

Result<Edits> Specs::resolve(std::span<const std::string> names, std::string_view pointer) const {
    if (names.size() > devices_max)
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("names more than {} devices", devices_max))
                        .at(pointer));
    Edits edits;
    std::set<std::size_t> used;  // files whose common edits are in
    std::set<std::string> seen;
    for (std::size_t index = 0; index < names.size(); ++index) {
        const auto at = [&](Error error) {
            return fail(std::move(error).at(pointer_to(pointer, index)));
        };
        const auto name = QualifiedName::parse(names[index]);
        if (!name) return at(name.error());
        const auto place = places_.find(name->to_string());
        if (place == places_.end()) return at(none_of(name->to_string()));
        if (place->second.twice)
            return at(make_error(ErrorCode::invalid_argument,
                                 fmt::format("two files of one directory define {}", place->first))
                          .next("remove one of them; gpu_validate names them"));
        if (!seen.insert(place->first).second)
            return at(make_error(ErrorCode::invalid_argument,
                                 fmt::format("{} is named twice", place->first)));
        const File& file = files_[place->second.file];
        const auto apply = [&](const ContainerEdits& wanted) -> Result<> {
            auto merged = merge(edits, wanted, roots_);
            if (merged) return {};
            return at(std::move(merged).error().in(
                fmt::format("{} of '{}'", place->first, file.path.string())));
        };
        if (used.insert(place->second.file).second) BERTH_TRY(apply(file.spec.edits));
        BERTH_TRY(apply(file.spec.devices[place->second.device].edits));
    }
    return edits;
}

}  // namespace berth::gpu::cdi
