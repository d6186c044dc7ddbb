// SPDX-License-Identifier: Apache-2.0
#include "host/store/standby.h"

#include <fmt/format.h>

namespace berth::store {
namespace {

constexpr std::string_view name_prefix = "standby/";
constexpr std::string_view of_claimed = "";  // the template that nothing is made as

}  // namespace

std::string Standby::name_of(std::string_view id) {
    return fmt::format("{}{}", name_prefix, id);
}

bool Standby::is_name(std::string_view name) {
    return name.starts_with(name_prefix);
}

Result<> Standby::insert(std::string_view id, std::string_view container_template) {
    BERTH_TRY(database_.run("INSERT INTO standby (container_id, template) VALUES (?, ?)",
                            {std::string(id), std::string(container_template)}));
    return {};
}

Result<> Standby::take(std::string_view id) {
    const auto taken = BERTH_TRY(
        database_.run("DELETE FROM standby WHERE container_id = ? AND container_id IN (SELECT id "
                      "FROM containers WHERE phase = 'ready') RETURNING container_id",
                      {std::string(id)}));
    if (taken.empty())
        return fail(ErrorCode::busy, fmt::format("no container of id '{}' waits", id));
    BERTH_TRY(database_.run("DELETE FROM containers WHERE id = ?", {std::string(id)}));
    return {};
}

Result<std::map<std::string, std::string>> Standby::templates() {
    std::map<std::string, std::string> found;
    for (const Row& row :
         BERTH_TRY(database_.read("SELECT container_id, template FROM standby WHERE template <> ?",
                                  {std::string(of_claimed)})))
        found.emplace(text(row[0]), text(row[1]));
    return found;
}

Result<> Standby::mark_claimed(std::string_view id) {
    return insert(id, of_claimed);
}

Result<> Standby::settle(std::string_view id) {
    BERTH_TRY(database_.run("DELETE FROM standby WHERE container_id = ?", {std::string(id)}));
    return {};
}

Result<std::set<std::string>> Standby::claimed() {
    std::set<std::string> found;
    for (const Row& row : BERTH_TRY(database_.read(
             "SELECT container_id FROM standby WHERE template = ?", {std::string(of_claimed)})))
        found.insert(text(row[0]));
    return found;
}

}  // namespace berth::store
