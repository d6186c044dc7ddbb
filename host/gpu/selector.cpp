// SPDX-License-Identifier: Apache-2.0
#include "host/gpu/selector.h"

#include "host/gpu/selector_text.h"
#include "tools-schema/contract/decode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace berth::gpu {
namespace {

/// What a person knows it by, beside its address.
std::string called(const Gpu& gpu) {
    return fmt::format("{} ({})", gpu.address.to_string(),
                       gpu.nvidia && gpu.nvidia->model ? *gpu.nvidia->model : gpu.device);
}

/// Not more of them than a message bears.
std::string few(std::vector<std::string> names) {
    constexpr std::size_t named_max = 8;
    const auto count = names.size();
    if (count > named_max) {
        names.resize(named_max);
        names.push_back(fmt::format("{} more", count - named_max));
    }
    return fmt::format("{}", fmt::join(names, ", "));
}

std::string listed(const std::vector<const Gpu*>& gpus) {
    std::vector<std::string> names;
    for (const Gpu* gpu : gpus) names.push_back(called(*gpu));
    return few(std::move(names));
}

/// What GPUs are counted by number, and chosen among by what they are.
std::vector<const Gpu*> countable(std::span<const Gpu> inventory) {
    std::vector<const Gpu*> gpus;
    for (const auto& gpu : inventory) {
        if (gpu.counts()) gpus.push_back(&gpu);
    }
    return gpus;
}

std::unexpected<Error> none(std::string message, std::span<const Gpu> inventory) {
    const auto gpus = countable(inventory);
    message +=
        gpus.empty() ? "; this host has no GPU" : fmt::format("; this host has {}", listed(gpus));
    return fail(
        make_error(ErrorCode::not_found, std::move(message)).call("gpu_list", Json::object()));
}

Result<Chosen> with_instance(const Gpu& gpu, std::optional<std::pair<int, int>> mig) {
    if (!gpu.real())
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("{} is {}, which computes nothing", called(gpu),
                                           gpu.kind == Kind::management
                                               ? "the screen of the board's management controller"
                                               : "the screen of a virtual machine"))
                        .call("gpu_list", Json::object()));
    if (!mig) return Chosen{.address = gpu.address};
    const auto instances = gpu.nvidia ? gpu.nvidia->mig : std::vector<MigInstance>{};
    const bool there = std::ranges::any_of(instances, [&](const MigInstance& one) {
        return std::pair(one.gpu_instance, one.compute_instance) == *mig;
    });
    if (there) return Chosen{.address = gpu.address, .mig = mig};
    std::vector<std::string> has;
    for (const auto& one : instances)
        has.push_back(fmt::format("{}/{}", one.gpu_instance, one.compute_instance));
    return fail(
        make_error(ErrorCode::not_found,
                   fmt::format("{} has no MIG instance {}/{}; it has {}", called(gpu), mig->first,
                               mig->second,
                               has.empty() ? "none" : fmt::format("{}", fmt::join(has, ", "))))
            .call("gpu_list", Json::object()));
}

Result<Chosen> named(const ByAddress& wanted, std::span<const Gpu> inventory) {
    std::vector<const Gpu*> found;
    for (const auto& gpu : inventory) {
        const auto text = gpu.address.to_string();
        constexpr std::size_t domain_length = 4;
        if (wanted.domain
                ? gpu.address == wanted.address
                : text.substr(domain_length) == wanted.address.to_string().substr(domain_length))
            found.push_back(&gpu);
    }
    if (found.size() > 1)
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("'{}' is in more than one domain: {}",
                                           wanted.address.to_string().substr(5), listed(found)))
                        .next("write it with its domain"));
    if (found.empty())
        return none(fmt::format("there is no GPU at {}", wanted.address.to_string()), inventory);
    return with_instance(*found.front(), wanted.mig);
}

Result<Chosen> named(const ByIndex& wanted, std::span<const Gpu> inventory) {
    const auto gpus = countable(inventory);
    if (wanted.index < gpus.size()) return Chosen{.address = gpus[wanted.index]->address};
    const auto range =
        gpus.size() > 1
            ? fmt::format("this host has {} GPUs, 0 to {}", gpus.size(), gpus.size() - 1)
            : std::string(gpus.empty() ? "this host has no GPU" : "this host has one GPU, 0");
    return fail(make_error(ErrorCode::not_found,
                           fmt::format("GPU {} is out of range: {}", wanted.index, range))
                    .call("gpu_list", Json::object()));
}

Result<Chosen> named(const ByUuid& wanted, std::span<const Gpu> inventory) {
    const bool instance = wanted.uuid.starts_with("MIG-");
    for (const auto& gpu : inventory) {
        if (!gpu.nvidia) continue;
        if (gpu.nvidia->uuid == wanted.uuid) return with_instance(gpu, wanted.mig);
        for (const auto& one : gpu.nvidia->mig) {
            if (one.uuid == wanted.uuid)
                return with_instance(gpu, std::pair(one.gpu_instance, one.compute_instance));
        }
    }
    if (instance)
        return fail(make_error(ErrorCode::not_found,
                               fmt::format("no MIG instance is known by '{}': only a CDI spec with "
                                           "UUIDs tells them",
                                           wanted.uuid))
                        .next("name it as ADDRESS/mig/GPU/COMPUTE, as gpu_list has it"));
    return none(fmt::format("there is no GPU '{}'", wanted.uuid), inventory);
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    return text;
}

bool compares(std::int64_t value, const Condition& condition) {
    switch (condition.relation) {
        case Relation::equal:
        case Relation::contains:
            return value == condition.number;
        case Relation::at_least:
            return value >= condition.number;
        case Relation::more:
            return value > condition.number;
        case Relation::at_most:
            return value <= condition.number;
        case Relation::less:
            return value < condition.number;
    }
    std::unreachable();
}

bool holds(const Gpu& gpu, const Condition& condition) {
    if (condition.key == "vendor") return to_string(gpu.maker()) == condition.text;
    if (condition.key == "driver") return gpu.driver && lower(*gpu.driver) == condition.text;
    if (condition.key == "numa") return gpu.numa_node == condition.number;
    if (condition.key == "memory")
        return gpu.memory_bytes && compares(*gpu.memory_bytes, condition);
    std::vector<std::string> names{lower(gpu.device)};
    if (gpu.nvidia && gpu.nvidia->model) names.push_back(lower(*gpu.nvidia->model));
    return std::ranges::any_of(names, [&](const std::string& name) {
        return condition.relation == Relation::contains ? name.contains(condition.text)
                                                        : name == condition.text;
    });
}

bool usable(const Gpu& gpu) {
    return gpu.driver && !gpu.driver->starts_with("vfio");
}

/// What was chosen so far in one call, in the order of the selectors.
class Choice {
public:
    Choice(std::span<const Gpu> inventory, const Taken& taken)
        : inventory_(inventory), taken_(taken) {}

    Result<> add(const Chosen& chosen) {
        const auto conflict = std::ranges::find_if(all_, [&](const Chosen& other) {
            return other.address == chosen.address &&
                   (!other.mig || !chosen.mig || other.mig == chosen.mig);
        });
        if (conflict != all_.end())
            return fail(ErrorCode::invalid_argument,
                        *conflict == chosen
                            ? fmt::format("GPU {} is named twice", chosen.to_string())
                            : fmt::format("{} and {} are the same GPU", conflict->to_string(),
                                          chosen.to_string()));
        all_.insert(chosen);
        return {};
    }

    Result<std::vector<Chosen>> whichever(const ByConditions& wish) {
        std::vector<const Gpu*> fit, free, broken, unknown;
        std::vector<std::string> held;
        const bool by_memory = std::ranges::any_of(
            wish.conditions, [](const Condition& one) { return one.key == "memory"; });
        for (const Gpu* gpu : countable(inventory_)) {
            const bool fits = std::ranges::all_of(
                wish.conditions, [&](const Condition& one) { return holds(*gpu, one); });
            if (by_memory && !gpu->memory_bytes) unknown.push_back(gpu);
            if (!fits || named(*gpu)) continue;
            if (!usable(*gpu)) {
                broken.push_back(gpu);
                continue;
            }
            fit.push_back(gpu);
            if (const auto why = taken_ ? taken_({.address = gpu->address}) : std::nullopt)
                held.push_back(fmt::format("{} {}", called(*gpu), *why));
            else
                free.push_back(gpu);
        }
        if (free.size() < wish.count) return too_few(wish.count, fit, free, held, broken, unknown);
        std::vector<Chosen> chosen;
        for (std::size_t at = 0; at < wish.count; ++at) {
            chosen.push_back({.address = free[at]->address});
            all_.insert(chosen.back());
        }
        return chosen;
    }

private:
    [[nodiscard]] bool named(const Gpu& gpu) const {
        return std::ranges::any_of(all_,
                                   [&](const Chosen& one) { return one.address == gpu.address; });
    }

    std::unexpected<Error> too_few(std::size_t count, const std::vector<const Gpu*>& fit,
                                   const std::vector<const Gpu*>& free,
                                   const std::vector<std::string>& held,
                                   const std::vector<const Gpu*>& broken,
                                   const std::vector<const Gpu*>& unknown) const {
        auto message = fmt::format("{} {} that fit this {} wanted; ", count,
                                   count == 1 ? "GPU" : "GPUs", count == 1 ? "is" : "are");
        if (fit.size() >= count) {
            message += free.empty() ? fmt::format("all {} are taken: ", fit.size())
                                    : fmt::format("of {}, {} are free: {}; taken are ", fit.size(),
                                                  free.size(), listed(free));
            message += few(held);
            return fail(
                make_error(ErrorCode::busy, std::move(message)).call("gpu_list", Json::object()));
        }
        message += fit.empty() ? "there is none"
                               : fmt::format("there are {}: {}", fit.size(), listed(fit));
        if (!broken.empty())
            message += fmt::format("; without a usable driver: {}", listed(broken));
        if (!unknown.empty()) message += fmt::format("; of unknown memory: {}", listed(unknown));
        return gpu::none(std::move(message), inventory_);
    }

    std::span<const Gpu> inventory_;
    const Taken& taken_;
    std::set<Chosen> all_;
};

Result<Chosen> named(const Selector& selector, std::span<const Gpu> inventory) {
    return std::visit(
        [&](const auto& wanted) -> Result<Chosen> {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(wanted)>, ByConditions>) {
                return fail(ErrorCode::internal, "conditions name no one GPU");
            } else {
                return named(wanted, inventory);
            }
        },
        selector);
}

}  // namespace

Result<std::vector<Chosen>> select(std::span<const Gpu> inventory,
                                   std::span<const std::string> selectors, std::string_view pointer,
                                   const Taken& taken) {
    if (selectors.size() > selectors_max)
        return fail(make_error(ErrorCode::invalid_argument,
                               fmt::format("names more than {} GPUs", selectors_max))
                        .at(pointer));
    const auto at = [&](Error error, std::size_t index) {
        return fail(std::move(error).at(pointer_to(pointer, index)));
    };
    std::vector<Selector> parsed;
    for (std::size_t index = 0; index < selectors.size(); ++index) {
        auto selector = parse_selector(selectors[index]);
        if (!selector) return at(std::move(selector).error(), index);
        parsed.push_back(*std::move(selector));
    }
    // Those that name one come first, so that no wish takes what is named behind it.
    Choice choice(inventory, taken);
    std::vector<std::vector<Chosen>> chosen(selectors.size());
    for (std::size_t index = 0; index < parsed.size(); ++index) {
        if (std::holds_alternative<ByConditions>(parsed[index])) continue;
        auto one = named(parsed[index], inventory);
        if (!one) return at(std::move(one).error(), index);
        if (auto added = choice.add(*one); !added) return at(std::move(added).error(), index);
        chosen[index].push_back(*one);
    }
    for (std::size_t index = 0; index < parsed.size(); ++index) {
        const auto* wish = std::get_if<ByConditions>(&parsed[index]);
        if (wish == nullptr) continue;
        auto some = choice.whichever(*wish);
        if (!some) return at(std::move(some).error(), index);
        chosen[index] = *std::move(some);
    }
    std::vector<Chosen> all;
    for (const auto& some : chosen) all.insert(all.end(), some.begin(), some.end());
    return all;
}

Result<> check_selector(std::string_view text) {
    BERTH_TRY(parse_selector(text));
    return {};
}

Result<Gpu> find(std::span<const Gpu> inventory, const PciAddress& address) {
    const auto found = std::ranges::find(inventory, address, &Gpu::address);
    if (found == inventory.end())
        return none(fmt::format("there is no GPU at {}", address.to_string()), inventory);
    return *found;
}

}  // namespace berth::gpu
