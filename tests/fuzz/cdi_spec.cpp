// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a file of the Container Device Interface. What is read has a kind and devices that
// can be asked for by name, and only absolute paths.
#include "host/gpu/cdi.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void check(const berth::gpu::cdi::ContainerEdits& edits) {
    for (const auto& node : edits.device_nodes) {
        if (!node.path.starts_with('/')) std::abort();
    }
    for (const auto& mount : edits.mounts) {
        if (!mount.container_path.starts_with('/')) std::abort();
    }
    for (const auto& hook : edits.hooks) {
        if (!hook.path.starts_with('/')) std::abort();
    }
    for (const auto& assignment : edits.environment) {
        if (assignment.find('=') == std::string::npos) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth::gpu::cdi;
    const auto spec = parse_spec({reinterpret_cast<const char*>(bytes), count});
    if (!spec) return spec.error().message.empty() ? (std::abort(), 1) : 0;
    check(spec->edits);
    for (const auto& device : spec->devices) {
        check(device.edits);
        if (!QualifiedName::parse(spec->kind + "=" + device.name)) std::abort();
    }
    return spec->devices.empty() ? (std::abort(), 1) : 0;
}
