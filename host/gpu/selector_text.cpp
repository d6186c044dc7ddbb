// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/selector_text.h"

#include "host/gpu/attributes.h"
#include "host/gpu/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace berth::gpu {
namespace {

constexpr std::string_view forms =
    "an address (0000:0b:00.0), an index (0), a UUID (GPU-…) or conditions "
    "(vendor=nvidia,memory>=24GiB,count=2)";

std::unexpected<Error> wrong(std::string_view text, std::string_view problem) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' {}", text, problem));
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    return out;
}

bool digits_only(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "1/0"
std::optional<std::pair<int, int>> instance_in(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto first = text.substr(0, slash), second = text.substr(slash + 1);
    if (!digits_only(first) || !digits_only(second)) return std::nullopt;
    const auto gpu_instance = number_after(first, ""), compute_instance = number_after(second, "");
    if (!gpu_instance || !compute_instance) return std::nullopt;
    return std::pair(*gpu_instance, *compute_instance);
}

Result<Selector> address_in(std::string_view text) {
    constexpr std::string_view problem =
        "is no PCI address: write [domain:]bus:device.function in hexadecimal, for example "
        "0000:0b:00.0 or 0b:00.0";
    std::string place = lower(text);
    std::optional<std::pair<int, int>> mig;
    if (const auto slash = place.find('/'); slash != std::string::npos) {
        constexpr std::string_view word = "/mig/";
        if (!std::string_view(place).substr(slash).starts_with(word))
            return wrong(text, "has something behind the address that is not /mig/GPU/COMPUTE");
        mig = instance_in(std::string_view(place).substr(slash + word.size()));
        if (!mig)
            return wrong(text,
                         "names no MIG instance: write /mig/ and its two numbers, as /mig/1/0");
        place.resize(slash);
    }
    const bool has_domain = std::ranges::count(place, ':') == 2;
    constexpr std::string_view nvidia_domain = "0000";  // nvidia-smi writes eight digits
    constexpr std::size_t nvidia_length = 16;
    if (place.size() == nvidia_length && place.starts_with(nvidia_domain))
        place.erase(0, nvidia_domain.size());
    const auto address = PciAddress::parse(has_domain ? place : "0000:" + place);
    if (!address) return wrong(text, problem);
    std::optional<std::uint16_t> domain;
    if (has_domain)
        domain = static_cast<std::uint16_t>(std::stoul(place.substr(0, 4), nullptr, 16));
    return ByAddress{.domain = domain, .address = *address, .mig = mig};
}

bool is_uuid(std::string_view text) {
    constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    return text.size() == shape.size() &&
           std::ranges::equal(text, shape, [](char letter, char wanted) {
               const bool hexadecimal =
                   (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
               return wanted == '-' ? letter == '-' : hexadecimal;
           });
}

Result<Selector> uuid_in(std::string_view text) {
    std::string plain = lower(text.substr(4));
    std::string prefix = lower(text.substr(0, 4)) == "gpu-" ? "GPU-" : "MIG-";
    std::optional<std::pair<int, int>> mig;
    if (prefix == "MIG-" && plain.starts_with("gpu-")) {
        const auto slash = plain.find('/');
        if (slash != std::string::npos)
            mig = instance_in(std::string_view(plain).substr(slash + 1));
        if (!mig) return wrong(text, "names no MIG instance: write MIG-GPU-UUID/1/0");
        plain = plain.substr(4, slash - 4);
        prefix = "GPU-";
    }
    if (!is_uuid(plain))
        return wrong(text,
                     "is no whole UUID: write GPU- or MIG- and 36 characters, as nvidia-smi -L "
                     "lists them");
    return ByUuid{.uuid = prefix + plain, .mig = mig};
}

/// "24GiB" in bytes.
std::optional<std::int64_t> bytes_in(std::string_view text) {
    struct Unit {
        std::string_view name;
        std::int64_t bytes;
    };
    constexpr std::array units{Unit{"", 1},
                               Unit{"mib", 1LL << 20},
                               Unit{"gib", 1LL << 30},
                               Unit{"tib", 1LL << 40},
                               Unit{"mb", 1'000'000},
                               Unit{"gb", 1'000'000'000},
                               Unit{"tb", 1'000'000'000'000}};
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto value = number(text.substr(0, end));
    const auto unit = std::ranges::find(units, text.substr(end), &Unit::name);
    if (!value || unit == units.end()) return std::nullopt;
    if (*value > std::numeric_limits<std::int64_t>::max() / unit->bytes) return std::nullopt;
    return *value * unit->bytes;
}

struct Operator {
    std::string_view sign;
    Relation relation;
};
/// Longer signs first, so that ">=" is not read as ">".
constexpr std::array operators{
    Operator{"=~", Relation::contains}, Operator{">=", Relation::at_least},
    Operator{"<=", Relation::at_most},  Operator{"=", Relation::equal},
    Operator{"~", Relation::contains},  Operator{">", Relation::more},
    Operator{"<", Relation::less}};

Result<Condition> condition_in(std::string_view text, std::string_view part) {
    const auto at = part.find_first_of("=~<>");
    if (at == std::string_view::npos || at == 0)
        return wrong(text, fmt::format("has '{}', which is no condition: write KEY=VALUE", part));
    const auto sign = std::ranges::find_if(
        operators, [&](const Operator& one) { return part.substr(at).starts_with(one.sign); });
    Condition condition{.key = std::string(part.substr(0, at)),
                        .relation = sign->relation,
                        .text = lower(part.substr(at + sign->sign.size()))};
    constexpr std::array<std::string_view, 6> keys{"vendor", "model", "memory",
                                                   "driver", "numa",  "count"};
    if (std::ranges::find(keys, condition.key) == keys.end())
        return wrong(text, fmt::format("asks for '{}': a GPU has vendor, model, memory, driver and "
                                       "numa, and a wish a count",
                                       condition.key));
    if (condition.text.empty() || condition.text.find_first_of("=~<>") != std::string::npos)
        return wrong(text, fmt::format("has no value for {}", condition.key));
    const bool compares =
        condition.relation != Relation::equal && condition.relation != Relation::contains;
    if ((compares && condition.key != "memory") ||
        (condition.relation == Relation::contains && condition.key != "model"))
        return wrong(text, fmt::format("compares {} with '{}': only memory has an order, and only "
                                       "model is searched with =~",
                                       condition.key, sign->sign));
    return condition;
}

/// What the value must be, by key; "" when it is.
std::string problem_of(Condition& condition) {
    constexpr std::array<std::string_view, 4> vendors{"nvidia", "amd", "intel", "other"};
    if (condition.key == "vendor" && std::ranges::find(vendors, condition.text) == vendors.end())
        return fmt::format("asks for vendor '{}': it is nvidia, amd, intel or other",
                           condition.text);
    if (condition.key == "memory") {
        const auto bytes = bytes_in(condition.text);
        if (!bytes || *bytes == 0)
            return fmt::format(
                "asks for memory '{}': write a whole number and MiB, GiB, TiB, MB, "
                "GB or TB",
                condition.text);
        condition.number = *bytes;
    }
    if (condition.key == "numa" || condition.key == "count") {
        const auto value =
            digits_only(condition.text) ? number(condition.text) : std::optional<std::int64_t>();
        if (!value) return fmt::format("has no number for {}", condition.key);
        condition.number = *value;
    }
    if (condition.key == "count" &&
        (condition.number < 1 || condition.number > static_cast<std::int64_t>(selectors_max)))
        return fmt::format("asks for {} GPUs: 1 to {} can be asked for", condition.text,
                           selectors_max);
    return "";
}

Result<Selector> conditions_in(std::string_view text) {
    ByConditions wish;
    std::vector<std::string> seen;
    for (std::size_t from = 0; from <= text.size();) {
        const auto comma = std::min(text.find(',', from), text.size());
        auto condition = BERTH_TRY(condition_in(text, text.substr(from, comma - from)));
        from = comma + 1;
        if (const auto problem = problem_of(condition); !problem.empty())
            return wrong(text, problem);
        const auto key = fmt::format("{}{}", condition.key, static_cast<int>(condition.relation));
        if (std::ranges::find(seen, key) != seen.end())
            return wrong(text, fmt::format("asks for {} twice", condition.key));
        seen.push_back(key);
        if (condition.key == "count") {
            wish.count = static_cast<std::size_t>(condition.number);
        } else {
            wish.conditions.push_back(std::move(condition));
        }
    }
    return wish;
}

}  // namespace

Result<Selector> parse_selector(std::string_view text) {
    if (text.empty())
        return fail(ErrorCode::invalid_argument, fmt::format("is empty: write {}", forms));
    if (text.size() > selector_bytes_max)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("is longer than {} bytes", selector_bytes_max));
    const bool printable = std::ranges::all_of(text, [](char letter) {
        return static_cast<unsigned char>(letter) >= ' ' && letter != 0x7f;
    });
    if (!printable) return fail(ErrorCode::invalid_argument, "has control characters");
    if (text.find_first_of("=~<>") != std::string_view::npos) return conditions_in(text);
    const std::string prefix = lower(text.substr(0, 4));
    if (prefix == "gpu-" || prefix == "mig-") return uuid_in(text);
    if (text.contains(':')) return address_in(text);
    if (!digits_only(text)) return wrong(text, fmt::format("names no GPU: write {}", forms));
    const auto index = number(text);
    if (!index) return wrong(text, "is too large for an index");
    return ByIndex{.index = static_cast<std::size_t>(*index)};
}

}  // namespace berth::gpu
