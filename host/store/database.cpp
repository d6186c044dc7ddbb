// SPDX-License-Identifier: Apache-2.0
#include "host/store/database.h"

#include "host/store/migrations.h"

namespace berth::store {

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path) {
    auto database = std::make_unique<Database>();
    BERTH_TRY(database->start(path, migrations()));
    return database;
}

}  // namespace berth::store
