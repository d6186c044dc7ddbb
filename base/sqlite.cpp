// SPDX-License-Identifier: Apache-2.0
#include "base/sqlite.h"

#include "base/fd.h"
#include "base/files.h"
#include "base/rollback.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>

namespace berth::store {
namespace {

constexpr int busy_timeout_ms = 5000;  // another process, a backup for example, may hold the lock
constexpr std::size_t statements_max = 256;  // compiled ones of a connection

/// SQLite names the columns of a broken constraint only in its message, behind this colon.
Error unique_error(const std::string& message) {
    const auto colon = message.find(": ");
    Error error = make_error(ErrorCode::already_exists, message);
    if (colon != std::string::npos) error.field = message.substr(colon + 2);
    return error;
}

Error constraint_error(int extended, const std::string& message) {
    switch (extended) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
            return unique_error(message);
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            return make_error(ErrorCode::not_found, "the row that this one belongs to is gone");
        default:
            return make_error(ErrorCode::internal, "database: " + message);
    }
}

/// What went wrong in the last call on `handle`.
Error last_error(sqlite3* handle) {
    const int extended = sqlite3_extended_errcode(handle);
    const std::string message = sqlite3_errmsg(handle);
    const auto error = [&message](ErrorCode code, std::string_view what) {
        return make_error(code, fmt::format("{}: {}", what, message));
    };
    switch (extended & 0xff) {  // the primary code: https://www.sqlite.org/rescode.html
        case SQLITE_CONSTRAINT:
            return constraint_error(extended, message);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return error(ErrorCode::busy, "another process holds the database");
        case SQLITE_FULL:
            return error(ErrorCode::quota_exceeded, "no space left for the database")
                .next("free space on the file system of the state directory");
        case SQLITE_IOERR:
            return error(ErrorCode::unavailable, "the database's disk fails")
                .next("look for disk errors in the kernel log");
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return error(ErrorCode::unavailable, "the database is damaged")
                .next("restore the state directory from a backup");
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH:
            return error(ErrorCode::denied, "the database cannot be written");
        case SQLITE_CANTOPEN:
            return error(ErrorCode::unavailable, "the database cannot be opened");
        default:
            return error(ErrorCode::internal, "database");
    }
}

void bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        (void)sqlite3_bind_int64(statement, index, *number);
    } else if (const auto* string = std::get_if<std::string>(&value)) {
        // A null destructor is SQLITE_STATIC: the value outlives the statement.
        (void)sqlite3_bind_text64(statement, index, string->data(), string->size(), nullptr,
                                  SQLITE_UTF8);
    } else {
        (void)sqlite3_bind_null(statement, index);
    }
}

Value column(sqlite3_stmt* statement, int index) {
    const int type = sqlite3_column_type(statement, index);
    if (type == SQLITE_NULL) return nullptr;
    if (type == SQLITE_INTEGER) return std::int64_t{sqlite3_column_int64(statement, index)};
    const void* bytes = sqlite3_column_text(statement, index);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
    return std::string(static_cast<const char*>(bytes), size);
}

Result<sqlite3_stmt*> prepare(sqlite3* handle, std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const char* rest = nullptr;
    const int size = static_cast<int>(sql.size());
    if (sqlite3_prepare_v2(handle, sql.data(), size, &statement, &rest) != SQLITE_OK)
        return fail(last_error(handle));
    if (rest == sql.data() + sql.size()) return statement;
    (void)sqlite3_finalize(statement);
    return fail(ErrorCode::internal, "not one statement");
}

/// Has the statement ready for the next values at the end.
class Use {
public:
    explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
        (void)sqlite3_reset(statement_);
        (void)sqlite3_clear_bindings(statement_);
    }

private:
    sqlite3_stmt* statement_;
};

Result<> create_private_file(const std::filesystem::path& path) {
    constexpr mode_t owner_only = 0600;  // the -wal and -shm files take it from this one
    const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, owner_only));
    if (fd || errno == EEXIST) return {};
    return fail(system_error(fmt::format("create '{}'", path.string()), errno));
}

}  // namespace

void Sqlite::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    (void)sqlite3_finalize(statement);
}

Sqlite::~Sqlite() {
    for (auto* connection : {&reader_, &writer_}) {
        connection->statements.clear();
        (void)sqlite3_close(connection->handle);
    }
}

Result<std::vector<Row>> Sqlite::step_through(Connection& connection, std::string_view sql,
                                              const std::vector<Value>& values) {
    auto found = connection.statements.find(sql);
    if (found == connection.statements.end()) {
        Statement compiled(BERTH_TRY(prepare(connection.handle, sql)));
        if (connection.statements.size() >= statements_max) connection.statements.clear();
        found = connection.statements.emplace(sql, std::move(compiled)).first;
    }
    auto* const statement = found->second.get();
    const Use use(statement);
    if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement)) != values.size())
        return fail(ErrorCode::internal,
                    fmt::format("not a statement of {} values", values.size()));
    int index = 0;
    for (const auto& value : values) bind(statement, ++index, value);
    std::vector<Row> rows;
    int step = sqlite3_step(statement);
    for (; step == SQLITE_ROW; step = sqlite3_step(statement)) {
        Row& row = rows.emplace_back();
        const int columns = sqlite3_column_count(statement);
        for (int at = 0; at < columns; ++at) row.push_back(column(statement, at));
    }
    if (step != SQLITE_DONE) return fail(last_error(connection.handle));
    return rows;
}

Result<std::unique_ptr<Sqlite>> Sqlite::open(const std::filesystem::path& path,
                                             Migrations migrations) {
    std::unique_ptr<Sqlite> database(new Sqlite);
    BERTH_TRY(database->start(path, migrations));
    return database;
}

Result<std::unique_ptr<Sqlite>> Sqlite::look(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
        return fail(ErrorCode::not_found, fmt::format("there is no '{}'", path.string()));
    std::unique_ptr<Sqlite> database(new Sqlite);
    BERTH_TRY(database->open_reader(path));
    return database;
}

Result<> Sqlite::start(const std::filesystem::path& path, Migrations migrations) {
    BERTH_TRY(create_private_file(path));
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
    const int opened = sqlite3_open_v2(path.c_str(), &writer_.handle, flags, nullptr);
    const auto ready = [&]() -> Result<> {
        if (opened != SQLITE_OK)
            return fail(last_error(writer_.handle));  // which leaves a handle too
        (void)sqlite3_busy_timeout(writer_.handle, busy_timeout_ms);
        BERTH_TRY(set(writer_, "PRAGMA journal_mode = WAL"));
        BERTH_TRY(set(writer_, "PRAGMA synchronous = FULL"));
        BERTH_TRY(set(writer_, "PRAGMA foreign_keys = ON"));
        BERTH_TRY(migrate(migrations));
        log_ = Fd(::open((path.string() + "-wal").c_str(), O_RDWR | O_CLOEXEC));
        if (!log_) return fail(system_error("open the write-ahead log", errno));
        return open_reader(path);
    }();
    if (!ready) return fail(Error(ready.error()).in(fmt::format("open '{}'", path.string())));
    return {};
}

Result<> Sqlite::open_reader(const std::filesystem::path& path) {
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &reader_.handle, flags, nullptr) != SQLITE_OK)
        return fail(last_error(reader_.handle));
    (void)sqlite3_busy_timeout(reader_.handle, busy_timeout_ms);
    return set(reader_, "PRAGMA query_only = ON");
}

Result<std::vector<Row>> Sqlite::run(std::string_view sql, const std::vector<Value>& values) {
    const std::scoped_lock lock(mutex_);
    return step_through(writer_, sql, values);
}

Result<std::vector<Row>> Sqlite::read(std::string_view sql, const std::vector<Value>& values) {
    if (transacting_ == std::this_thread::get_id()) return run(sql, values);
    const std::scoped_lock lock(reader_mutex_);
    return step_through(reader_, sql, values);
}

Result<> Sqlite::transact(const std::function<Result<>()>& work) {
    return transact(work, true);
}

Result<> Sqlite::transact_soon(const std::function<Result<>()>& work) {
    const std::scoped_lock lock(mutex_);  // nobody else's transaction is without the disk
    BERTH_TRY(set(writer_, "PRAGMA synchronous = NORMAL"));
    auto done = transact(work, true);
    auto careful_again = set(writer_, "PRAGMA synchronous = FULL");
    if (done && !careful_again) return careful_again;
    return done;
}

Result<> Sqlite::sync() const {
    if (::fdatasync(log_.get()) != 0) return fail(system_error("sync the store", errno));
    return {};
}

Result<> Sqlite::set(const Connection& connection, const std::string& pragma) {
    const int done = sqlite3_exec(connection.handle, pragma.c_str(), nullptr, nullptr, nullptr);
    return done == SQLITE_OK ? Result<>() : fail(last_error(connection.handle));
}

Result<> Sqlite::rehearse(const std::function<Result<>()>& work) {
    return transact(work, false);
}

Result<> Sqlite::transact(const std::function<Result<>()>& work, bool keep) {
    const std::scoped_lock lock(mutex_);
    if (sqlite3_get_autocommit(writer_.handle) == 0) {
        return fail(ErrorCode::internal, "a transaction within a transaction");
    }
    BERTH_TRY(run("BEGIN IMMEDIATE"));
    transacting_ = std::this_thread::get_id();
    Rollback undo;
    undo.on_failure([this, handle = writer_.handle]() noexcept {
        transacting_ = std::thread::id();
        // After some disk errors SQLite has rolled back by itself, and this is refused.
        (void)sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
    });
    BERTH_TRY(work());
    if (!keep) return {};
    BERTH_TRY(run("COMMIT"));
    transacting_ = std::thread::id();
    undo.keep();
    return {};
}

std::int64_t Sqlite::schema_version() {
    const auto rows = run("PRAGMA user_version");
    return rows && !rows->empty() ? integer(rows->front().front()) : 0;
}

Result<> Sqlite::migrate(Migrations steps) {
    const auto newest = static_cast<std::int64_t>(steps.size());
    if (const auto version = schema_version(); version > newest) {
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("the database has schema version {}, and this berth "
                                           "knows none after {}",
                                           version, newest))
                        .next("start the newer berth that wrote it"));
    }
    for (std::int64_t version = schema_version(); version < newest; ++version) {
        const auto step = [&]() -> Result<> {
            if (schema_version() > version) return {};  // another process was faster
            const std::string sql(steps[static_cast<std::size_t>(version)]);
            if (sqlite3_exec(writer_.handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
                return fail(last_error(writer_.handle));
            }
            return set(writer_, fmt::format("PRAGMA user_version = {}", version + 1));
        };
        BERTH_TRY(transact(step));
    }
    return {};
}

std::int64_t integer(const Value& value) {
    const auto* number = std::get_if<std::int64_t>(&value);
    return number != nullptr ? *number : 0;
}

std::string text(const Value& value) {
    const auto* string = std::get_if<std::string>(&value);
    return string != nullptr ? *string : "";
}

}  // namespace berth::store
