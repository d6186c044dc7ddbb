// SPDX-License-Identifier: Apache-2.0
#include "host/container/environment.h"

#include <fmt/format.h>

#include <set>
#include <string_view>

namespace berth::container {
namespace {

Result<> too_much(std::string message) {
    return fail(make_error(ErrorCode::quota_exceeded, std::move(message))
                    .at("/env")
                    .next("leave some out, or put them into a file in the container"));
}

}  // namespace

Result<> check_environment(const store::Environment& environment) {
    if (environment.size() > variables_per_container_max)
        return too_much(
            fmt::format("a container has at most {} variables", variables_per_container_max));
    std::set<std::string_view> names;
    std::size_t bytes = 0;
    for (std::size_t index = 0; index < environment.size(); ++index) {
        const std::string_view variable = environment[index];
        const auto name = variable.substr(0, variable.find('='));
        const auto refused = [&](std::string_view why, std::string_view next) {
            return fail(make_error(ErrorCode::invalid_argument,
                                   fmt::format("the variable '{}' {}", name, why))
                            .at(fmt::format("/env/{}", index))
                            .next(std::string(next)));
        };
        if (!names.insert(name).second) return refused("is there twice", "leave one of them out");
        if (variable.contains('\n'))  // in sshd's configuration it would end the line
            return refused("has more than one line, which a login cannot be given",
                           "give it to single commands by container_exec's env, or put it into a "
                           "file in the container");
        bytes += variable.size();
    }
    if (bytes > environment_bytes_max)
        return too_much(
            fmt::format("the variables of a container have at most {} bytes in all, "
                        "and these have {}",
                        environment_bytes_max, bytes));
    return {};
}

}  // namespace berth::container
