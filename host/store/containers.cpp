// SPDX-License-Identifier: Apache-2.0
#include "host/store/containers.h"

#include "host/store/standby.h"
#include "tools-schema/contract/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace berth::store {
namespace {

constexpr std::string_view gone_prefix = "gone/";
constexpr std::array<std::string_view, 3> phase_words{"creating", "ready", "deleting"};

std::string word(Phase phase) {
    return std::string(phase_words.at(std::to_underlying(phase)));
}

Phase to_phase(const std::string& text) {
    const auto* const found = std::ranges::find(phase_words, text);  // the schema allows no other
    return static_cast<Phase>(found - phase_words.begin());
}

constexpr std::array<std::string_view, 3> restart_words{"no", "on-failure", "always"};

std::string word(Restart restart) {
    return std::string(restart_words.at(std::to_underlying(restart)));
}

Restart to_restart(const std::string& text) {
    const auto* const found = std::ranges::find(restart_words, text);
    return static_cast<Restart>(found - restart_words.begin());
}

std::string to_column(const Labels& labels) {
    Json object = Json::object();
    for (const auto& [key, value] : labels) object[key] = value;
    return to_text(object);
}

Labels to_labels(const std::string& column) {
    Labels labels;
    const auto object = parse_json(column);  // our own writing: nothing else is ever in it
    if (!object || !object->is_object()) return labels;
    for (const auto& [key, value] : object->items()) {
        if (value.is_string()) labels.emplace(key, value.get<std::string>());
    }
    return labels;
}

std::string to_column(const Shares& shares) {
    Json array = Json::array();
    for (const auto& [host_path, path, writable] : shares)
        array.push_back({{"host_path", host_path}, {"path", path}, {"writable", writable}});
    return to_text(array);
}

Shares to_shares(const std::string& column) {
    Shares shares;
    const auto array = parse_json(column);  // our own writing, as above
    if (!array || !array->is_array()) return shares;
    for (const auto& share : *array)
        shares.push_back({.host_path = share.value("host_path", ""),
                          .path = share.value("path", ""),
                          .writable = share.value("writable", false)});
    return shares;
}

std::string to_column(const Environment& environment) {
    return to_text(Json(environment));
}

Environment to_environment(const std::string& column) {
    Environment environment;
    const auto array = parse_json(column);  // our own writing, as above
    if (!array || !array->is_array()) return environment;
    for (const auto& variable : *array) {
        if (variable.is_string()) environment.push_back(variable.get<std::string>());
    }
    return environment;
}

constexpr std::string_view select_containers =
    "SELECT id, name, phase, wanted_running, image, image_digest, slot, uid_base, ipv4, ssh_port, "
    "memory_bytes, cpu_percent, processes, host_key, created_at, labels, "
    "restart, protected, expires_at, idle_stop_seconds, after_stop, used_at, generation, ended_at, "
    "ended_how, restarts, swap_bytes, disk_bytes, io_bytes_per_second, io_operations_per_second, "
    "receive_bytes_per_second, send_bytes_per_second, no_new_privileges, shares, guest_socket, "
    "wake, nesting, restarting, environment, up "
    "FROM containers";

Container to_container(const Row& row) {
    return {
        .id = text(row[0]),
        .name = text(row[1]),
        .phase = to_phase(text(row[2])),
        .wanted_running = integer(row[3]) != 0,
        .restarting = integer(row[37]) != 0,
        .up = integer(row[39]) != 0,
        .image = text(row[4]),
        .image_digest = text(row[5]),
        .slot = integer(row[6]),
        .uid_base = integer(row[7]),
        .ipv4 = text(row[8]),
        .ssh_port = integer(row[9]),
        .limits = {.memory_bytes = integer(row[10]),
                   .cpu_percent = integer(row[11]),
                   .processes = integer(row[12]),
                   .swap_bytes = integer(row[26]),
                   .disk_bytes = integer(row[27]),
                   .io_bytes_per_second = integer(row[28]),
                   .io_operations_per_second = integer(row[29]),
                   .receive_bytes_per_second = integer(row[30]),
                   .send_bytes_per_second = integer(row[31])},
        .host_key = text(row[13]),
        .created_at = text(row[14]),
        .labels = to_labels(text(row[15])),
        .life = {.restart = to_restart(text(row[16])),
                 .is_protected = integer(row[17]) != 0,
                 .expires_at = integer(row[18]),
                 .idle_stop_seconds = integer(row[19]),
                 .after_stop = static_cast<AfterStop>(integer(row[20])),
                 .used_at = integer(row[21]),
                 .wake = integer(row[35]) != 0},
        .no_new_privileges = integer(row[32]) != 0,
        .nesting = integer(row[36]) != 0,
        .shares = to_shares(text(row[33])),
        .environment = to_environment(text(row[38])),
        .guest_socket = integer(row[34]) != 0,
        .generation = integer(row[22]),
        .last_end = {.at = integer(row[23]), .how = text(row[24]), .restarts = integer(row[25])},
    };
}

/// `rows` are what a statement with RETURNING has changed.
Result<> changed_one(const std::vector<Row>& rows, std::string_view id) {
    if (!rows.empty()) return {};
    return fail(ErrorCode::not_found, fmt::format("no container has the id '{}'", id));
}

}  // namespace

Result<std::int64_t> Containers::next_slot(std::int64_t slots) {
    std::set<std::int64_t> taken;
    for (const Row& row : BERTH_TRY(database_.read("SELECT slot FROM containers"))) {
        taken.insert(integer(row[0]));
    }
    const auto last = integer(BERTH_TRY(database_.read("SELECT slot FROM last_slot")).at(0).at(0));
    for (std::int64_t step = 1; step <= slots; ++step) {
        const std::int64_t slot = (last + step) % slots;
        if (taken.contains(slot)) continue;
        BERTH_TRY(database_.run("UPDATE last_slot SET slot = ?", {slot}));
        return slot;
    }
    return fail(make_error(ErrorCode::quota_exceeded,
                           fmt::format("this host has room for {} containers, and has {}", slots,
                                       taken.size()))
                    .next("delete one with container_delete")
                    .call("container_list", Json::object()));
}

Result<> Containers::insert(const Container& container) {
    auto inserted = database_.run(
        "INSERT INTO containers (id, name, phase, wanted_running, image, image_digest, slot, "
        "uid_base, ipv4, ssh_port, memory_bytes, cpu_percent, processes, host_key, created_at, "
        "labels, restart, protected, expires_at, idle_stop_seconds, after_stop, used_at, "
        "swap_bytes, disk_bytes, io_bytes_per_second, io_operations_per_second, "
        "receive_bytes_per_second, send_bytes_per_second, no_new_privileges, shares, guest_socket, "
        "wake, nesting, environment) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, "
        "?, ?, ?, ?)",
        {container.id,
         container.name,
         word(container.phase),
         std::int64_t{container.wanted_running},
         container.image,
         container.image_digest,
         container.slot,
         container.uid_base,
         container.ipv4,
         container.ssh_port,
         container.limits.memory_bytes,
         container.limits.cpu_percent,
         container.limits.processes,
         container.host_key,
         container.created_at,
         to_column(container.labels),
         word(container.life.restart),
         std::int64_t{container.life.is_protected},
         container.life.expires_at,
         container.life.idle_stop_seconds,
         std::int64_t{std::to_underlying(container.life.after_stop)},
         container.life.used_at,
         container.limits.swap_bytes,
         container.limits.disk_bytes,
         container.limits.io_bytes_per_second,
         container.limits.io_operations_per_second,
         container.limits.receive_bytes_per_second,
         container.limits.send_bytes_per_second,
         std::int64_t{container.no_new_privileges},
         to_column(container.shares),
         std::int64_t{container.guest_socket},
         std::int64_t{container.life.wake},
         std::int64_t{container.nesting},
         to_column(container.environment)});
    if (inserted) return {};
    Error error = std::move(inserted).error();
    if (error.code != ErrorCode::already_exists) return fail(std::move(error));
    if (error.field == "containers.name") {
        return fail(make_error(ErrorCode::already_exists,
                               fmt::format("there is a container '{}'", container.name))
                        .at("/name")
                        .next("choose another name, or look at that one")
                        .call("container_get", {{"name", container.name}}));
    }
    // What the caller did not choose is taken: the slot was not from next_slot, or the id is
    // reused.
    return fail(ErrorCode::internal, error.message);
}

Result<> Containers::set_phase(std::string_view id, Phase phase) {
    return changed_one(
        BERTH_TRY(database_.run(
            "UPDATE containers SET phase = ?, up = wanted_running WHERE id = ? RETURNING id",
            {word(phase), std::string(id)})),
        id);
}

Result<> Containers::set_wanted_running(std::string_view id, bool wanted) {
    return changed_one(BERTH_TRY(database_.run(
                           "UPDATE containers SET wanted_running = ?1, up = ?1, restarting = 0, "
                           "after_stop = CASE WHEN ?1 AND after_stop = 1 THEN 2 ELSE "
                           "after_stop END WHERE id = ?2 RETURNING id",
                           {std::int64_t{wanted}, std::string(id)})),
                       id);
}

Result<> Containers::set_restarting(std::string_view id, bool restarting) {
    return changed_one(
        BERTH_TRY(database_.run("UPDATE containers SET restarting = ? WHERE id = ? RETURNING id",
                                {std::int64_t{restarting}, std::string(id)})),
        id);
}

Result<> Containers::set_up(std::string_view id, bool up) {
    return changed_one(
        BERTH_TRY(database_.run("UPDATE containers SET up = ? WHERE id = ? RETURNING id",
                                {std::int64_t{up}, std::string(id)})),
        id);
}

Result<> Containers::set_none_up() {
    BERTH_TRY(database_.run("UPDATE containers SET up = 0", {}));
    return {};
}

Result<> Containers::update(const Container& container) {
    const auto changed = BERTH_TRY(database_.run(
        "UPDATE containers SET memory_bytes = ?, cpu_percent = ?, processes = ?, labels = ?, "
        "restart = ?, protected = ?, expires_at = ?, idle_stop_seconds = ?, after_stop = ?, "
        "swap_bytes = ?, disk_bytes = ?, io_bytes_per_second = ?, io_operations_per_second = ?, "
        "receive_bytes_per_second = ?, send_bytes_per_second = ?, no_new_privileges = ?, "
        "shares = ?, guest_socket = ?, wake = ?, environment = ?, generation = generation + 1 "
        "WHERE id = ? AND "
        "generation = ? RETURNING id",
        {container.limits.memory_bytes,
         container.limits.cpu_percent,
         container.limits.processes,
         to_column(container.labels),
         word(container.life.restart),
         std::int64_t{container.life.is_protected},
         container.life.expires_at,
         container.life.idle_stop_seconds,
         std::int64_t{std::to_underlying(container.life.after_stop)},
         container.limits.swap_bytes,
         container.limits.disk_bytes,
         container.limits.io_bytes_per_second,
         container.limits.io_operations_per_second,
         container.limits.receive_bytes_per_second,
         container.limits.send_bytes_per_second,
         std::int64_t{container.no_new_privileges},
         to_column(container.shares),
         std::int64_t{container.guest_socket},
         std::int64_t{container.life.wake},
         to_column(container.environment),
         container.id,
         container.generation}));
    if (!changed.empty()) return {};
    return fail(make_error(ErrorCode::busy,
                           fmt::format("container '{}' was changed meanwhile", container.name))
                    .next("decide anew")
                    .call("container_get", {{"name", container.name}}));
}

Result<> Containers::count_change(std::string_view id) {
    return changed_one(
        BERTH_TRY(database_.run(
            "UPDATE containers SET generation = generation + 1 WHERE id = ? RETURNING id",
            {std::string(id)})),
        id);
}

Result<> Containers::set_used_at(std::string_view id, std::int64_t at) {
    return changed_one(
        BERTH_TRY(database_.run("UPDATE containers SET used_at = ? WHERE id = ? RETURNING id",
                                {at, std::string(id)})),
        id);
}

Result<> Containers::record_end(std::string_view id, const LastEnd& end, bool wanted_running) {
    return changed_one(
        BERTH_TRY(database_.run(
            "UPDATE containers SET ended_at = ?, ended_how = ?, restarts = ?, "
            "wanted_running = ?, up = 0 WHERE id = ? RETURNING id",
            {end.at, end.how, end.restarts, std::int64_t{wanted_running}, std::string(id)})),
        id);
}

std::string Containers::name_of_gone(std::string_view id) {
    return fmt::format("{}{}", gone_prefix, id);
}

bool Containers::is_gone(std::string_view name) {
    return name.starts_with(gone_prefix);
}

Result<> Containers::retire(std::string_view id) {
    for (const auto table :
         {"ports", "ssh_keys", "gpu_leases", "cdi_devices", "snapshots", "standby"}) {
        BERTH_TRY(database_.run(fmt::format("DELETE FROM {} WHERE container_id = ?", table),
                                {std::string(id)}));
    }
    return changed_one(
        BERTH_TRY(database_.run(
            "UPDATE containers SET name = ?, phase = 'deleting' WHERE id = ? RETURNING id",
            {name_of_gone(id), std::string(id)})),
        id);
}

Result<> Containers::remove(std::string_view id) {
    return changed_one(BERTH_TRY(database_.run("DELETE FROM containers WHERE id = ? RETURNING id",
                                               {std::string(id)})),
                       id);
}

Result<std::optional<Container>> Containers::find_by_name(std::string_view name) {
    const auto rows = BERTH_TRY(
        database_.read(fmt::format("{} WHERE name = ?", select_containers), {std::string(name)}));
    return rows.empty() ? std::nullopt : std::optional(to_container(rows.front()));
}

Result<std::optional<Container>> Containers::find_by_id(std::string_view id) {
    const auto rows = BERTH_TRY(
        database_.read(fmt::format("{} WHERE id = ?", select_containers), {std::string(id)}));
    return rows.empty() ? std::nullopt : std::optional(to_container(rows.front()));
}

Result<std::vector<Container>> Containers::list() {
    return select(fmt::format("WHERE name NOT LIKE '{}%' AND name NOT LIKE '{}%'", gone_prefix,
                              Standby::name_of("")));
}

Result<std::vector<Container>> Containers::all() {
    return select("");
}

Result<std::vector<Container>> Containers::select(std::string_view which) {
    std::vector<Container> out;
    for (const Row& row :
         BERTH_TRY(database_.read(fmt::format("{} {} ORDER BY name", select_containers, which)))) {
        out.push_back(to_container(row));
    }
    return out;
}

}  // namespace berth::store
