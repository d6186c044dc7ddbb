// SPDX-License-Identifier: Apache-2.0
// The table of containers: what should be. Inserting a row is also the reservation of everything
// that must be unique: the name, the uid range, the address and the SSH port.
#pragma once

#include "host/store/database.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::store {

/// How far a container's life has come. `creating` and `deleting` are undone or finished by the
/// reconciler after a crash; `ready` is acknowledged.
enum class Phase : std::uint8_t { creating, ready, deleting };

using Labels = std::map<std::string, std::string>;

/// "NAME=value" each, and each name once.
using Environment = std::vector<std::string>;

/// A directory of the host that a container sees at `path`, which no other of its shares has.
struct Share {
    std::string host_path;
    std::string path;
    bool writable = false;

    [[nodiscard]] bool operator==(const Share&) const = default;
};
using Shares = std::vector<Share>;

/// What happens when a container's init ends by itself.
enum class Restart : std::uint8_t { no, on_failure, always };

/// Whether a container goes when it is stopped: `remove` waits for its first start, `armed` has
/// seen it.
enum class AfterStop : std::uint8_t { keep, remove, armed };

/// What a container does without being asked. Times are milliseconds since 1970, 0 for never.
struct Lifecycle {
    Restart restart = Restart::no;
    bool is_protected = false;           // no delete until this is taken away
    std::int64_t expires_at = 0;         // when it is deleted
    std::int64_t idle_stop_seconds = 0;  // it is stopped when unused for that long; 0: it is not
    AfterStop after_stop = AfterStop::keep;
    std::int64_t used_at = 0;  // the last use as far as it was written down, which is now and then
    bool wake = false;         // a command or a login starts it
};

/// How a container's init last ended by itself.
struct LastEnd {
    std::int64_t at = 0;  // milliseconds since 1970; 0: it never did
    std::string how = {};
    std::int64_t restarts = 0;  // how often it was started again because of that
};

/// What a container may use at most; engine::Limits says what each means.
struct Limits {
    std::int64_t memory_bytes = 0;
    std::int64_t cpu_percent = 0;
    std::int64_t processes = 0;
    std::int64_t swap_bytes = 0;
    std::int64_t disk_bytes = 0;
    std::int64_t io_bytes_per_second = 0;
    std::int64_t io_operations_per_second = 0;
    std::int64_t receive_bytes_per_second = 0;
    std::int64_t send_bytes_per_second = 0;

    [[nodiscard]] bool operator==(const Limits&) const = default;
};

struct Container {
    std::string id;  // 10 hexadecimal digits, never used again
    std::string name;
    Phase phase = Phase::creating;
    bool wanted_running = true;
    bool restarting = false;   // it is stopped for a change alone, and started again then
    bool up = false;           // it was seen running, and neither its stop nor its end was since
    std::string image;         // the name it was created from
    std::string image_digest;  // the content it runs on, "sha256:…"
    std::int64_t slot = 0;     // the number that its uid range, address and SSH port derive from
    std::int64_t uid_base = 0;
    std::string ipv4;
    std::int64_t ssh_port = 0;
    Limits limits;
    std::string host_key;    // public, "ssh-ed25519 AAAA…"
    std::string created_at;  // RFC 3339
    Labels labels = {};      // what the caller calls it by; nothing of ours depends on them
    Lifecycle life = {};
    bool no_new_privileges = false;  // as prctl(PR_SET_NO_NEW_PRIVS), for all that runs in it
    bool nesting = false;            // whether it may run containers of its own
    Shares shares = {};
    Environment environment = {};  // of every command and every login
    bool guest_socket = true;      // whether berth tells it about itself
    std::int64_t generation = 1;   // counts changes of its configuration: what an etag names
    LastEnd last_end = {};
};

class Containers {
public:
    explicit Containers(Database& database) : database_(database) {}

    /// The next slot in [0, slots) that no row holds, starting after the one given out last, so
    /// that a deleted container's address and uid range rest as long as possible. quota_exceeded
    /// when all are taken. Call inside the transaction that inserts.
    [[nodiscard]] Result<std::int64_t> next_slot(std::int64_t slots);

    /// already_exists with field "/name" when the name is taken.
    [[nodiscard]] Result<> insert(const Container& container);
    /// One that is made to run is up with that.
    [[nodiscard]] Result<> set_phase(std::string_view id, Phase phase);
    /// For one that runs then, or is to stop: it is up, or is not, and not restarting any more. To
    /// want it running also arms its after_stop.
    [[nodiscard]] Result<> set_wanted_running(std::string_view id, bool wanted);
    [[nodiscard]] Result<> set_restarting(std::string_view id, bool restarting);
    [[nodiscard]] Result<> set_up(std::string_view id, bool up);
    [[nodiscard]] Result<> set_none_up();
    /// Writes what update() can change (of life, all but used_at), and counts the generation up;
    /// busy when the row's generation is not the given one any more.
    [[nodiscard]] Result<> update(const Container& container);
    /// Counts the generation up, for a change of what is in other tables; call inside the
    /// transaction that makes it.
    [[nodiscard]] Result<> count_change(std::string_view id);
    [[nodiscard]] Result<> set_used_at(std::string_view id, std::int64_t at);
    /// Writes that and how it ended by itself, and whether it is to run again.
    [[nodiscard]] Result<> record_end(std::string_view id, const LastEnd& end, bool wanted_running);
    /// "gone/ID": of one whose caller was told that it is deleted, and of which something is left.
    /// Its row holds its slot, uids and address, and nothing else; nobody is shown it.
    [[nodiscard]] static std::string name_of_gone(std::string_view id);
    [[nodiscard]] static bool is_gone(std::string_view name);
    /// Gives it that name, and gives up its ports, keys, devices and snapshots. Call inside a
    /// transaction.
    [[nodiscard]] Result<> retire(std::string_view id);
    /// Removes the row, and whatever it still holds.
    [[nodiscard]] Result<> remove(std::string_view id);

    [[nodiscard]] Result<std::optional<Container>> find_by_name(std::string_view name);
    [[nodiscard]] Result<std::optional<Container>> find_by_id(std::string_view id);
    [[nodiscard]] Result<std::vector<Container>> list();  // by name
    /// With those that wait to be claimed or are gone, of which nobody but us is to know.
    [[nodiscard]] Result<std::vector<Container>> all();

private:
    [[nodiscard]] Result<std::vector<Container>> select(std::string_view which);
    Database& database_;
};

}  // namespace berth::store
