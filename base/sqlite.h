// SPDX-License-Identifier: Apache-2.0
// A SQLite database in WAL mode with full durability, so that what was acknowledged survives kill
// -9 and power loss. One connection writes and another reads, so that nobody who looks waits for
// somebody's disk. Border file of <sqlite3.h>.
#pragma once

#include "base/fd.h"
#include "tools-schema/contract/result.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace berth::store {

using Value = std::variant<std::nullptr_t, std::int64_t, std::string>;
using Row = std::vector<Value>;

class Sqlite {
public:
    /// Step n brings the schema from version n to n + 1. A step that has been released never
    /// changes.
    using Migrations = std::span<const std::string_view>;

    /// Opens or creates the file (mode 0600) and brings it to the newest schema. A file of a newer
    /// berth is refused as `unsupported`, naming both versions; nothing is ever migrated backwards.
    [[nodiscard]] static Result<std::unique_ptr<Sqlite>> open(const std::filesystem::path& path,
                                                              Migrations migrations);
    /// A file that is there, as it is, whatever its schema: for read() alone. not_found when it is
    /// not there.
    [[nodiscard]] static Result<std::unique_ptr<Sqlite>> look(const std::filesystem::path& path);
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;
    ~Sqlite();

    /// Runs one statement with bound values and returns its rows. A broken UNIQUE constraint is
    /// already_exists with the column ("containers.name") in `field`.
    [[nodiscard]] Result<std::vector<Row>> run(std::string_view sql,
                                               const std::vector<Value>& values = {});

    /// The same for a statement that changes nothing: it sees everything committed and does not
    /// wait for writers. Inside transact() it sees that transaction.
    [[nodiscard]] Result<std::vector<Row>> read(std::string_view sql,
                                                const std::vector<Value>& values = {});

    /// Runs `work` in one transaction (BEGIN IMMEDIATE): all of it is kept, or, on an error, none.
    /// Calls of run() and read() inside belong to it; other writers wait. Does not nest.
    [[nodiscard]] Result<> transact(const std::function<Result<>()>& work);

    /// The same without waiting for the disk: it survives kill -9, and a power cut only once a
    /// later transact() or sync() has returned. For what a power cut undoes anyway.
    [[nodiscard]] Result<> transact_soon(const std::function<Result<>()>& work);

    /// Waits until the disk has all that was kept before. Nobody else waits for it.
    [[nodiscard]] Result<> sync() const;

    /// Runs `work` as transact() would and keeps nothing, to learn what would come of it.
    [[nodiscard]] Result<> rehearse(const std::function<Result<>()>& work);

    [[nodiscard]] std::int64_t schema_version();

protected:
    Sqlite() = default;
    Result<> start(const std::filesystem::path& path, Migrations migrations);

private:
    Result<> migrate(Migrations steps);
    Result<> transact(const std::function<Result<>()>& work, bool keep);
    Result<> open_reader(const std::filesystem::path& path);

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
    /// A connection, and what it has compiled: that takes longer than most statements run.
    struct Connection {
        sqlite3* handle = nullptr;
        std::map<std::string, Statement, std::less<>> statements = {};
    };
    static Result<std::vector<Row>> step_through(Connection& connection, std::string_view sql,
                                                 const std::vector<Value>& values);
    /// A pragma may do its work when it is compiled, so none is kept.
    static Result<> set(const Connection& connection, const std::string& pragma);

    Connection writer_;
    std::recursive_mutex mutex_;
    std::atomic<std::thread::id> transacting_;  // the thread that is inside transact()
    Connection reader_;
    std::mutex reader_mutex_;
    Fd log_;  // where SQLite puts what is kept, and what it syncs itself (sqlite.org/wal.html)
};

[[nodiscard]] std::int64_t integer(const Value& value);  // 0 when it is none
[[nodiscard]] std::string text(const Value& value);      // "" when it is none

}  // namespace berth::store
