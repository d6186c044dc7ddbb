// SPDX-License-Identifier: Apache-2.0
#include "host/warning/kinds.h"

#include <fmt/format.h>

namespace berth::warning {

std::string container_entity(std::string_view name) {
    return fmt::format("{}{}", container_entities, name);
}

std::string remains_entity(std::string_view id) {
    return fmt::format("remains/{}", id);
}

void tell_repaired(Warnings& warnings, const std::string& entity, std::string message) {
    warnings.raise({.type = drift,
                    .entity = entity,
                    .message = std::move(message),
                    .next = "nothing: it was put right"});
    warnings.resolve(drift, entity);
    warnings.resolve(reconcile_failed, entity);
}

void tell_not_repaired(Warnings& warnings, Severity severity, std::string entity,
                       std::string_view doing, const Error& error) {
    warnings.raise({.type = reconcile_failed,
                    .severity = severity,
                    .entity = std::move(entity),
                    .message = fmt::format("{}: {}", doing, error.message),
                    .next = fmt::format("{}; it is tried again, at the latest when berthd starts",
                                        error.hint.empty() ? "remove the cause" : error.hint)});
}

void tell_launcher_ended(Warnings& warnings) {
    warnings.raise(
        {.type = service_ended,
         .severity = Severity::warning,
         .entity = std::string(launcher_entity),
         .message = "the process that starts containers had ended and was started again",
         .next = "look into the kernel's log for who killed it, want of memory perhaps"});
}

void tell_lxcfs_ended(Warnings& warnings) {
    warnings.raise({.type = service_ended,
                    .severity = Severity::warning,
                    .entity = std::string(lxcfs_entity),
                    .message = "lxcfs, which shows containers their own limits, ended by itself; "
                               "it is started again",
                    .next = "look into the kernel's log for who killed it, want of memory perhaps; "
                            "if it keeps ending, install another version of the package lxcfs"});
}

void tell_deprecated(Warnings& warnings, const std::string& owner, std::string_view option,
                     std::string_view instead) {
    warnings.raise(
        {.type = deprecated_option,
         .entity = fmt::format("{}/{}", owner, option),
         .message = fmt::format("'{}' of {} was used, which will be removed", option, owner),
         .next = std::string(instead)});
}

}  // namespace berth::warning
