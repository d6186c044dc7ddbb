// SPDX-License-Identifier: Apache-2.0
// The kinds of warnings by name, what they are about, and how those are raised that several rooms
// have to tell. docs/warnings.md has them all.
#pragma once

#include "host/warning/warnings.h"

#include <string>
#include <string_view>

namespace berth::warning {

inline constexpr std::string_view container_flapping = "container_flapping";
inline constexpr std::string_view container_not_started = "container_not_started";
inline constexpr std::string_view standby_not_filled = "standby_not_filled";
inline constexpr std::string_view out_of_memory = "out_of_memory";
inline constexpr std::string_view service_ended = "service_ended";
inline constexpr std::string_view drift = "drift";
inline constexpr std::string_view reconcile_failed = "reconcile_failed";
inline constexpr std::string_view quota_fallback = "quota_fallback";
inline constexpr std::string_view feature_missing = "feature_missing";
inline constexpr std::string_view gpu_unusable = "gpu_unusable";
inline constexpr std::string_view deprecated_option = "deprecated_option";
inline constexpr std::string_view gpu_gone = "gpu_gone";
inline constexpr std::string_view gpu_driver_lost = "gpu_driver_lost";

inline constexpr std::string_view container_entities = "container/";
inline constexpr std::string_view gpu_entities = "gpu/";  // and the address
inline constexpr std::string_view network_entity = "network";

/// "container/ada"
[[nodiscard]] std::string container_entity(std::string_view name);
/// "remains/0123456789": what there is of a container that has no name any more.
[[nodiscard]] std::string remains_entity(std::string_view id);

/// Something was not as it should be, and is now: a warning that is over at once.
void tell_repaired(Warnings& warnings, const std::string& entity, std::string message);

/// Something is not as it should be and could not be put right: `doing` says what, `error` why. It
/// is over by resolve(reconcile_failed, entity).
void tell_not_repaired(Warnings& warnings, Severity severity, std::string entity,
                       std::string_view doing, const Error& error);

/// The process in which containers are started ended by itself, and another one took its place. It
/// is over with the next start of berthd, which resolves it.
void tell_launcher_ended(Warnings& warnings);
inline constexpr std::string_view launcher_entity = "service/berth-launcher";

/// lxcfs ended by itself, and another one takes its place. It is over when that has stayed up,
/// by resolve(service_ended, lxcfs_entity).
void tell_lxcfs_ended(Warnings& warnings);
inline constexpr std::string_view lxcfs_entity = "service/lxcfs";

/// Somebody used `option` of `owner` ("tool/container_create"), which will go: `instead` says what
/// to use. Nobody resolves it: whoever has changed the call deletes it.
void tell_deprecated(Warnings& warnings, const std::string& owner, std::string_view option,
                     std::string_view instead);

}  // namespace berth::warning
