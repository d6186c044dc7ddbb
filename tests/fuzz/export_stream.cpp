// SPDX-License-Identifier: Apache-2.0
// Fuzz target: an export as somebody else may have written it. Nothing that comes out of it may
// lead anywhere but below its layer.
#include "host/transfer/stream.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace berth;
using namespace berth::transfer;

class Checker final : public EntryTaker {
public:
    Result<> begin(std::size_t, const Entry& entry) override {
        const bool sound =
            entry.path.empty() ? entry.kind == Kind::directory : check_path(entry.path).has_value();
        const bool linked = entry.kind != Kind::hard_link || check_path(entry.target).has_value();
        if (!sound || !linked || entry.uid < 0 || entry.uid >= engine::ids_per_container)
            std::abort();
        size_ = entry.size;
        return {};
    }
    Result<> content(std::int64_t offset, std::string_view bytes) override {
        if (offset < 0 || offset + static_cast<std::int64_t>(bytes.size()) > size_) std::abort();
        return {};
    }
    Result<> end() override { return {}; }

private:
    std::int64_t size_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    std::string_view rest(reinterpret_cast<const char*>(bytes), count);
    StreamReader reader([&rest](std::span<char> to) -> Result<std::size_t> {
        const auto got = std::min(to.size(), rest.size());
        std::copy_n(rest.data(), got, to.data());
        rest.remove_prefix(got);
        return got;
    });
    const auto manifest = reader.manifest();
    Checker checker;
    if (manifest) (void)reader.read(*manifest, checker);
    return 0;
}
