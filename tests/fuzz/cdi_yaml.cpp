// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a CDI file in YAML. What is read is a value that JSON can say, and what JSON says of
// it is the same spec; whatever its hooks and mounts want is done or refused, and leads nowhere
// that confines a container.
#include "host/gpu/cdi_steps.h"
#include "host/gpu/yaml.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace berth;
using namespace berth::gpu;

void require(bool holds) {
    if (!holds) std::abort();
}

void check_place(const std::string& inside) {
    require(inside.starts_with('/') && !(inside + "/").contains("/../"));
    for (const std::string_view kept :
         {"/proc/", "/sys/", "/dev/", "/run/sshd/", "/usr/lib/berth/"}) {
        require(!(inside + "/").starts_with(kept));
        require(!kept.starts_with(inside == "/" ? inside : inside + "/"));
    }
}

void check_steps(const cdi::ContainerEdits& edits) {
    const auto steps = cdi::steps_of({.environment = edits.environment,
                                      .mounts = edits.mounts,
                                      .hooks = edits.hooks,
                                      .additional_gids = edits.additional_gids});
    if (!steps) return require(!steps.error().message.empty());
    for (const auto& mount : steps->files.mounts) check_place(mount.inside);
    for (const auto& link : steps->files.links) check_place(link.path);
    for (const auto& mode : steps->files.modes) {
        check_place(mode.path);
        require(mode.mode <= 0777);
    }
    for (const auto& folder : steps->files.library_folders)
        require(folder.starts_with('/') && !folder.contains('\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    const auto value = parse_yaml(text, cdi::spec_bytes_max);
    const auto spec = cdi::parse_spec(text, cdi::Form::yaml);
    if (!value) {
        require(!value.error().message.empty() && !spec);
        return 0;
    }
    require(cdi::parse_spec(to_text(*value)).has_value() == spec.has_value());
    if (!spec) return 0;
    check_steps(spec->edits);
    for (const auto& device : spec->devices) check_steps(device.edits);
    return 0;
}
