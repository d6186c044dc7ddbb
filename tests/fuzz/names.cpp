// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the strong types. Whatever parse() accepts is written and read back as the same.
#include "tools-schema/contract/names.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

template <class T>
void check(std::string_view text) {
    const auto value = T::parse(text);
    if (value && *T::parse(value->to_string()) != *value) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    using namespace berth;
    const std::string_view text(reinterpret_cast<const char*>(bytes), count);
    check<ContainerName>(text);
    check<ImageName>(text);
    check<UserName>(text);
    check<AbsolutePath>(text);
    check<EnvAssignment>(text);
    check<PciAddress>(text);
    check<RequestId>(text);
    check<OperationId>(text);
    check<SnapshotName>(text);
    check<WarningId>(text);
    check<Label>(text);
    check<UnitName>(text);
    const auto key = SshPublicKey::parse(text);
    if (key && !(*SshPublicKey::parse(key->to_string()) == *key)) std::abort();
    const auto decoded = decode_base64(text);
    if (decoded && encode_base64(*decoded) != text) std::abort();
    return 0;
}
