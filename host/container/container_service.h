// SPDX-License-Identifier: Apache-2.0
// The life of containers on this host: desired state in the store, the engine and the network made
// to agree with it. Every change is a transaction: it is done whole, or undone whole, also by the
// reconciler after a crash.
#pragma once

#include "base/clock.h"
#include "base/rollback.h"
#include "host/container/boots.h"
#include "host/container/keyed_lock.h"
#include "host/container/limits.h"
#include "host/container/oom_log.h"
#include "host/container/remains.h"
#include "host/container/shares.h"
#include "host/container/under_way.h"
#include "host/container/uses.h"
#include "host/container/waiting_room.h"
#include "host/container/wake_failures.h"
#include "host/engine/container_engine.h"
#include "host/events/events.h"
#include "host/exec/executor.h"
#include "host/gpu/cdi.h"
#include "host/gpu/gpus.h"
#include "host/guest/guest_service.h"
#include "host/image/image_store.h"
#include "host/net/network.h"
#include "host/snapshot/layer_store.h"
#include "host/ssh/login_service.h"
#include "host/store/containers.h"
#include "host/store/devices.h"
#include "host/store/ports.h"
#include "host/store/ssh_keys.h"
#include "host/store/standby.h"
#include "host/warning/warnings.h"
#include "tools-schema/contract/names.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace berth::container {

enum class State : std::uint8_t { creating, running, paused, stopped, deleting };

/// One container as it is: what was asked for, and what the kernel says.
struct View {
    store::Container row;
    State state = State::stopped;
    std::vector<store::Port> ports = {};
    std::int64_t ssh_keys = 0;
    std::vector<std::string> gpus = {};  // that it holds, by address
};

/// What can be told of a container's use at once, and often.
struct Sample {
    std::string name;
    std::string id;
    engine::Limits limits;
    std::optional<engine::RunningUse> use = {};  // nothing of one that does not run
    std::optional<engine::DiskUse> disk = {};    // of one with a disk of its own
};

/// The last process of a container that was killed for want of memory, as far as the kernel's log
/// goes back.
struct LastOomKill {
    std::string process;
    std::chrono::system_clock::time_point at;
};

struct PortWish {
    std::int64_t container_port = 0;
    std::optional<std::int64_t> host_port = {};  // absent: a free one
    std::string protocol = "tcp";
};

/// What a fork is made from: a layer of another container, whose image it shares.
struct Origin {
    std::string layer_id;
    std::string image_digest;
    std::string container;        // its name, which the fork's files know as their own
    bool elsewhere = false;       // it was on another host, or may have been
    bool keeps_identity = false;  // it is that container, which has moved, and no copy of it
};

struct CreateWish {
    ContainerName name;
    ImageName image;
    engine::Limits limits;
    std::vector<PortWish> ports;
    std::vector<SshPublicKey> ssh_keys;
    bool start = true;
    store::Labels labels = {};
    bool no_new_privileges = false;
    bool nesting = false;
    store::Shares shares = {};
    store::Environment environment = {};
    bool guest_socket = true;
    std::vector<std::string> gpus = {};     // selectors; see gpu::select()
    bool gpus_in_old_form = false;          // one, by a number of Containarium's
    std::vector<std::string> devices = {};  // CDI names
    std::string caller = {};                // whose these two are; "": of nobody that is known
    store::Lifecycle life = {};             // but when it expires, which follows from the next
    std::int64_t ttl_seconds = 0;           // 0: it stays
    std::optional<Origin> origin = {};      // absent: the image alone
    /// What else is written in the transaction that reserves the container, before what it stands
    /// on is; gets its id once its row is there.
    std::function<Result<>(const std::string& id)> with_row = {};
};

/// What is to be different; what is absent stays.
struct UpdateWish {
    std::string etag = {};  // of the View that this was decided on; "": whatever it is now
    LimitsWish limits = {};
    store::Labels labels = {};                     // set or changed
    std::vector<std::string> labels_removed = {};  // by key
    std::optional<store::Restart> restart = {};
    std::optional<bool> is_protected = {};
    std::optional<std::int64_t> ttl_seconds = {};  // from now; 0: it stays
    std::optional<std::int64_t> idle_stop_seconds = {};
    std::optional<bool> delete_after_stop = {};
    std::optional<bool> no_new_privileges = {};          // from the next start on
    store::Shares shares = {};                           // set or changed; the same
    std::vector<std::string> shares_removed = {};        // by the path inside
    std::optional<store::Environment> environment = {};  // all of it; for what starts from now on
    std::optional<bool> guest_socket = {};
    std::optional<bool> wake = {};
};

/// Whoever waits for a change: how they take it back, and how they hear how far it is.
struct Waiting {
    std::stop_token cancelled = {};
    std::function<void(int done, int total, std::string_view doing)> report = {};
};

struct KeyAdded {
    std::string fingerprint;
    bool added = false;
    std::int64_t keys = 0;
};

struct ServiceOptions {
    std::filesystem::path state_dir;
    std::string bridge;
    net::PortRange forward_ports;  // host ports that are given out when none is asked for
    std::string version = {};      // of berth: what another one has booted waits for nobody
    ShareRules shares = ShareRules();
    bool guest_sockets = true;  // whether any container is told of itself
    std::string location = {};  // what containers are told of where they are
    std::string pool = {};
    bool gpus_shared_by_owner = false;  // between containers that one caller has given them to
    bool allow_nesting = true;          // whether any container may run containers of its own
};

inline constexpr std::size_t ports_per_container_max = 1024;
inline constexpr std::size_t ssh_keys_per_container_max = 1024;

/// What a ContainerService works with; all of it outlives the service.
struct Rooms {
    store::Database& database;
    engine::ContainerEngine& engine;
    net::Network& network;
    image::ImageStore& images;
    exec::AgentLink& agents;
    exec::Executor& executor;
    ssh::Logins& logins;
    const Clock& clock;
    events::Events& events;
    snapshot::LayerStore& layers;
    warning::Warnings& warnings;
    guest::Guests& guests;
    gpu::Gpus& gpus;
};

/// Names a container's configuration as it is; another one after every change of it: by update(),
/// and of its ports, SSH keys and GPUs.
[[nodiscard]] std::string etag_of(const store::Container& row);

/// What a call is told that this state does not allow; `at` is the argument that names it.
[[nodiscard]] Error protected_error(const store::Container& row);
[[nodiscard]] Error paused_error(const store::Container& row, std::string_view at);
[[nodiscard]] Error stopped_error(const store::Container& row, std::string_view at = "/name");

/// Stops every running container at once, and kills what still runs after `time_max`. Since they
/// are wanted all the same, and none of them has ended by itself, the next berthd starts them.
void stop_all(engine::ContainerEngine& engine, store::Containers& containers,
              std::chrono::seconds time_max);

/// Before anything is unmounted by a berthd that has just started: whoever has no root any more
/// has not ended by itself, but with the host.
[[nodiscard]] Result<> forget_lost(engine::ContainerEngine& engine, store::Containers& containers);

class ContainerService {
public:
    ContainerService(ServiceOptions options, net::AddressPlan plan, Rooms rooms);

    /// Makes the machine agree with the store, once, before the first call: half-made and
    /// half-deleted containers go, running ones are found again, forwards and SSH ports are there.
    /// What was amiss is a warning, and so is what could not be put right. It fails where going on
    /// might give what somebody still uses to somebody else.
    [[nodiscard]] Result<> reconcile();

    /// Returns when the container answers exec and SSH (or, without start, when it could be
    /// started). Cancelled, it undoes what was begun and is `unavailable`.
    [[nodiscard]] Result<View> create(const CreateWish& wish, const Waiting& waiting = {});
    /// What create() would make now; fails as create() would, and changes nothing.
    [[nodiscard]] Result<View> rehearse_create(const CreateWish& wish);
    /// These two wait for nobody's change.
    [[nodiscard]] Result<View> get(const ContainerName& name);
    [[nodiscard]] Result<std::vector<View>> list();
    /// Cancelled, the container is stopped again.
    [[nodiscard]] Result<View> start(const ContainerName& name, const Waiting& waiting = {});
    /// These two can be cancelled until they have begun: a shutdown cannot be taken back.
    [[nodiscard]] Result<View> stop(const ContainerName& name, int timeout_seconds,
                                    const Waiting& waiting = {});
    [[nodiscard]] Result<> remove(const ContainerName& name, bool force,
                                  const Waiting& waiting = {});
    /// What it uses now.
    [[nodiscard]] Result<std::pair<View, engine::Usage>> usage(const ContainerName& name);
    [[nodiscard]] Result<std::vector<Sample>> samples();
    /// For whoever follows the kernel's log: tells of it, if it was in a container.
    void note_oom_kill(const OomKill& kill);
    /// The same of one that was so long ago, in a container that was there already; one that
    /// `was_told` is only remembered.
    void note_past_oom_kill(const OomKill& kill, std::chrono::milliseconds ago, bool was_told);
    [[nodiscard]] std::optional<LastOomKill> last_oom_kill(std::string_view id);
    /// Changes a container, a running one at once: all of the wish, or on an error none.
    [[nodiscard]] Result<View> update(const ContainerName& name, const UpdateWish& wish,
                                      const Waiting& waiting = {});
    /// The container as update() would make it; fails as update() would, and changes nothing.
    [[nodiscard]] Result<View> rehearse_update(const ContainerName& name, const UpdateWish& wish);
    /// Has the container hold these GPUs too, and gives a running one their devices; those that it
    /// holds already stay. busy at /gpus/INDEX when another holds one: then nothing is changed.
    [[nodiscard]] Result<View> attach_gpus(const ContainerName& name,
                                           const std::vector<std::string>& gpus,
                                           const std::string& caller, const Waiting& waiting = {});
    /// Gives GPUs back, also such as are not there any more. busy while a process inside has one
    /// open.
    [[nodiscard]] Result<View> detach_gpus(const ContainerName& name,
                                           const std::vector<std::string>& gpus,
                                           const Waiting& waiting = {});
    /// The GPUs that these two would change; they fail as those would, and change nothing.
    [[nodiscard]] Result<std::vector<std::string>> rehearse_attach(
        const ContainerName& name, const std::vector<std::string>& gpus, const std::string& caller);
    [[nodiscard]] Result<std::vector<std::string>> rehearse_detach(
        const ContainerName& name, const std::vector<std::string>& gpus);
    /// The kernel may have numbered devices anew: takes from every running container what is not
    /// its any more, gives it what is, and warns of whatever it then lacks.
    void renew_devices();
    /// Which container holds a GPU, by name.
    [[nodiscard]] Result<std::map<gpu::Chosen, std::string>> gpu_holders();
    /// For whoever watches the host's rules: makes those of berth what they should be, and tells of
    /// it; false when that failed.
    bool keep_forwards();
    /// Halts what runs inside where it is, and lets it go on. Neither changes anything twice.
    [[nodiscard]] Result<View> pause(const ContainerName& name, const Waiting& waiting = {});
    [[nodiscard]] Result<View> resume(const ContainerName& name, const Waiting& waiting = {});
    /// What the container of that id is told of itself on its own socket.
    [[nodiscard]] Result<Json> about(const std::string& id);
    /// Calls `work` with a container that is neither being made nor deleted, while nobody else
    /// changes it.
    [[nodiscard]] Result<> change(const ContainerName& name, std::string_view doing,
                                  const Waiting& waiting,
                                  const std::function<Result<>(const engine::Spec&)>& work);
    /// The same for a container that is stopped, or with `restart` stopped for it and then started
    /// again, also when `work` fails.
    [[nodiscard]] Result<View> change_stopped(
        const ContainerName& name, std::string_view doing, bool restart, const Waiting& waiting,
        const std::function<Result<>(const engine::Spec&)>& work);
    /// What create() is asked for to get a copy of that container, without its ports and its files:
    /// with its life, of which what is left of its time, but unprotected.
    [[nodiscard]] Result<CreateWish> wish_like(const ContainerName& name);
    /// denied at `at` when one is to have nesting and this host's operator lets none have it.
    [[nodiscard]] Result<> check_nesting(bool wanted, std::string_view at) const;
    /// A part of an output that was too long for run()'s answer; see KeptOutputs::read().
    [[nodiscard]] Result<exec::KeptOutputs::Part> read_output(const ContainerName& name,
                                                              const OutputId& id,
                                                              std::int64_t offset,
                                                              std::size_t bytes_max);
    [[nodiscard]] Result<exec::Outcome> run(const ContainerName& name, const exec::Request& request,
                                            const std::stop_token& cancelled);

    [[nodiscard]] Result<store::Port> add_port(const ContainerName& name, const PortWish& wish);
    /// The port that add_port() would give now; fails as add_port() would, and changes nothing.
    [[nodiscard]] Result<store::Port> rehearse_add_port(const ContainerName& name,
                                                        const PortWish& wish);
    /// The forward of that port of the host, and the container that it leads to.
    [[nodiscard]] Result<std::pair<store::Port, View>> find_port(const std::string& protocol,
                                                                 std::int64_t host_port);
    [[nodiscard]] Result<std::pair<store::Port, std::string>> remove_port(
        const std::string& protocol, std::int64_t host_port);
    [[nodiscard]] Result<KeyAdded> add_key(const ContainerName& name, const SshPublicKey& key);

    // For the Keeper, with the row that it has seen: each looks again, and does nothing when that
    // has passed.

    [[nodiscard]] Result<std::optional<store::Container>> row(const std::string& name);
    [[nodiscard]] Result<std::vector<store::Container>> rows() { return containers_.list(); }
    /// Clears up after an init that has ended by itself; whether it is to be started again.
    [[nodiscard]] Result<bool> note_end(const store::Container& seen, engine::Ending ending);
    [[nodiscard]] Result<> start_again(const store::Container& seen,
                                       const std::stop_token& cancelled);
    /// Stops what nobody has used for long enough, and what runs although it is to be stopped, be
    /// it to be started again.
    [[nodiscard]] Result<> stop_unused(const store::Container& seen);
    /// Deletes a container whose time has come.
    [[nodiscard]] Result<> remove_due(const store::Container& seen);
    /// When that container was last used, which is now while somebody does.
    [[nodiscard]] std::chrono::system_clock::time_point last_use(const store::Container& row);
    /// A use of it, for as long as that is held.
    [[nodiscard]] Uses::Held use(const store::Container& row);

    // For the StandbyKeeper: containers that are booted before anybody asks for them.

    /// All that a container made by create(wish) would be that cannot be another once it runs.
    [[nodiscard]] Result<std::string> made_as(const CreateWish& wish);
    /// Boots one more, which waits for a create() whose made_as() is that of `wish`.
    [[nodiscard]] Result<> fill_standby(const CreateWish& wish, const std::stop_token& cancelled);
    /// What waited when this berthd started.
    [[nodiscard]] Result<std::vector<Waiter>> found_waiting();
    /// Has one of those wait again, once it has shown that it still works.
    [[nodiscard]] Result<> adopt_standby(const Waiter& one, const std::stop_token& cancelled);
    void remove_standby(const Waiter& one) { discard(one.row); }
    [[nodiscard]] bool still_runs(const Waiter& one) { return rooms_.engine.running(one.row.id); }
    [[nodiscard]] WaitingRoom& waiting_room() { return waiting_; }
    /// The creates that callers wait for now.
    [[nodiscard]] UnderWay& creates_under_way() { return creates_; }

    /// Waits until nothing is left of those that are deleted, but no longer than that.
    void finish_removals(std::chrono::milliseconds time_max) { remains_.wait_fewer(1, time_max); }
    /// container::stop_all() of all there are; nobody must start any meanwhile.
    void stop_all(std::chrono::seconds time_max);

private:
    [[nodiscard]] Result<store::Container> find(std::string_view name);
    [[nodiscard]] Result<store::Container> find_ready(const ContainerName& name);
    [[nodiscard]] Result<KeyedLock::Held> hold(const ContainerName& name, std::string_view doing,
                                               const Waiting& waiting);
    /// Fails unless commands can run there; starts one that is stopped and is to be woken.
    [[nodiscard]] Result<> make_usable(const ContainerName& name, const std::stop_token& cancelled);
    /// Starts it for whoever uses it, once for all that come meanwhile.
    [[nodiscard]] Result<> wake(const store::Container& seen, const std::stop_token& cancelled);
    /// Has a login wake it, if that is wanted.
    void await_use(const store::Container& row);
    /// The row as it is now, if it is still the one seen and its change is nobody else's.
    [[nodiscard]] Result<std::optional<store::Container>> same(const store::Container& seen);
    [[nodiscard]] Result<> start_held(const store::Container& row, const Waiting& waiting);
    [[nodiscard]] Result<> stop_held(const store::Container& row, int timeout_seconds);
    /// Stops it so that it is started again, by whoever stopped it or by the Keeper.
    [[nodiscard]] Result<> stop_for_restart(const store::Container& row);
    /// It was started or stopped, so whatever had failed before is over.
    void made_right(const store::Container& row);
    [[nodiscard]] Result<store::Container> changed(store::Container row,
                                                   const UpdateWish& wish) const;
    void note_use(const store::Container& row);
    [[nodiscard]] std::int64_t now_ms() const;
    [[nodiscard]] State state_of(const store::Container& row);
    [[nodiscard]] Result<View> view(store::Container row);
    [[nodiscard]] Result<engine::Spec> spec_of(const store::Container& row,
                                               const image::Image& image);
    [[nodiscard]] Result<image::Image> image_of(const CreateWish& wish);
    [[nodiscard]] Result<> check_limits(const engine::Limits& limits) const;
    /// What is refused whatever else there is on this host.
    [[nodiscard]] Result<> check_wish(const CreateWish& wish) const;
    [[nodiscard]] std::filesystem::path guest_directory(std::string_view id) const;
    [[nodiscard]] std::filesystem::path device_directory(std::string_view id) const;
    /// Its SSH entry and its own socket, as its row says.
    [[nodiscard]] Result<> open_entries(const store::Container& row);
    void close_entries(const store::Container& row);
    /// As close_entries(); but whoever logs in to one that is to be woken waits until it has
    /// stopped, and wakes it. So there is no moment in which he is refused.
    void rest_entries(const store::Container& row);
    [[nodiscard]] Result<> open_guest_socket(const store::Container& row);
    /// Opens or closes it, as the row says.
    [[nodiscard]] Result<> set_guest_socket(const store::Container& row);
    [[nodiscard]] Result<> check_shares(const store::Container& row,
                                        const store::Shares& set) const;

    [[nodiscard]] store::Container row_of(const CreateWish& wish, const image::Image& image,
                                          std::string host_key) const;
    /// Inside a transaction: gives the row what must be unique, and inserts it with its ports and
    /// keys.
    [[nodiscard]] Result<> reserve(store::Container& row, const CreateWish& wish,
                                   const std::vector<gpu::Gpu>& inventory);
    /// Inside a transaction, and refused as a start would refuse them.
    [[nodiscard]] Result<> reserve_devices(const store::Container& row, const CreateWish& wish,
                                           const std::vector<gpu::Gpu>& inventory);
    /// The GPUs of this machine, if any are asked for, and such as could be meant: before the
    /// transaction, since it takes time.
    [[nodiscard]] Result<std::vector<gpu::Gpu>> inventory_for(const CreateWish& wish);
    /// Inside a transaction: those that were not the container's before.
    [[nodiscard]] Result<std::vector<std::string>> lease(const store::Container& row,
                                                         const std::vector<std::string>& gpus,
                                                         const std::string& caller,
                                                         const std::vector<gpu::Gpu>& inventory);
    /// Inside a transaction: has the container hold what its CDI devices open, and nothing that
    /// they do not open any more. busy when another holds one.
    [[nodiscard]] Result<> lease_opened(const store::Container& row, const gpu::cdi::Edits& edits,
                                        std::string caller, const std::vector<gpu::Gpu>& inventory);
    [[nodiscard]] Result<std::optional<store::GpuLease>> holder_of(
        const store::Container& row, const std::string& caller, const gpu::Chosen& wanted,
        const std::vector<store::GpuLease>& leases);
    [[nodiscard]] std::string told_of(const store::GpuLease& lease);
    [[nodiscard]] Error held_error(const gpu::Chosen& wanted, const store::GpuLease& lease);
    [[nodiscard]] Result<std::vector<store::GpuLease>> own_leases(
        const store::Container& row, const std::vector<std::string>& gpus);
    /// The device nodes of these leases as they are now, but of those by CDI.
    [[nodiscard]] Result<std::vector<engine::Device>> nodes_of(
        const store::Container& row, const std::vector<store::GpuLease>& leases);
    /// Puts what the container's GPUs and CDI devices need now into the spec of a start. When that
    /// is not to be had, it is a warning too.
    [[nodiscard]] Result<> add_devices(const store::Container& row, engine::Spec& spec);
    /// Of its CDI devices, and of those by which NVIDIA's tool describes GPUs that it has leased.
    [[nodiscard]] Result<> add_cdi(const store::Container& row,
                                   const std::vector<store::GpuLease>& leases, engine::Spec& spec);
    /// Has the container's own ldconfig find the libraries that it was given.
    void list_libraries(const store::Container& row, const Waiting& waiting);
    void warn_of_devices(const store::Container& row, const Error& error);
    /// renew_devices() of one, which nobody changes meanwhile; one that was found again by a new
    /// berthd gets all of them once more.
    [[nodiscard]] Result<> renew(const store::Container& row, bool found_again = false);
    /// Gives one that runs what is its; what it has stays.
    [[nodiscard]] Result<> give_devices(const store::Container& row);
    [[nodiscard]] Result<> take_devices(const store::Container& row,
                                        const std::vector<store::GpuLease>& leaving);
    [[nodiscard]] Result<store::Port> reserve_another(const store::Container& row,
                                                      const PortWish& wish);
    [[nodiscard]] Result<store::Port> reserve_port(std::string_view container_id,
                                                   const PortWish& wish);
    [[nodiscard]] Result<std::int64_t> free_port(const std::string& protocol);
    /// A container for `wish` that has waited for it; nothing when none has.
    [[nodiscard]] Result<std::optional<View>> claim(const CreateWish& wish,
                                                    const image::Image& image,
                                                    const Waiting& waiting);
    [[nodiscard]] Result<> reserve_claimed(store::Container& row, const CreateWish& wish);
    [[nodiscard]] Result<> settle_claimed(const std::string& id);
    [[nodiscard]] Result<> make_its_own(const store::Container& row, const CreateWish& wish,
                                        const image::Image& image, const Waiting& waiting);
    [[nodiscard]] Result<> run_probe(const std::string& id, const Waiting& waiting);
    [[nodiscard]] Result<> reserve_wishes(const store::Container& row, const CreateWish& wish);
    [[nodiscard]] Result<View> create_anew(const CreateWish& wish, const image::Image& image,
                                           const Waiting& waiting);
    [[nodiscard]] Result<> make(const store::Container& row, const CreateWish& wish,
                                const image::Image& image, const std::string& private_host_key,
                                const Waiting& waiting);
    [[nodiscard]] Result<> bring_up(const store::Container& row, const image::Image& image,
                                    const Waiting& waiting);
    [[nodiscard]] Result<> prove(const std::string& id, const Waiting& waiting,
                                 const std::function<Result<>()>& attempt);
    /// Ends it, and gives up all that others may want of it; Remains does the rest.
    [[nodiscard]] Result<> take_down(const store::Container& row);
    /// The same for what nobody knows of yet; what fails is tried again.
    void discard(const store::Container& row) noexcept;
    /// One attempt of Remains, told as a warning when it fails.
    [[nodiscard]] Result<> try_to_remove(const store::Container& row, int attempt);
    [[nodiscard]] Result<> remove_remains(const store::Container& row);
    /// What the engine and the network have of it, and then its row.
    [[nodiscard]] Result<> clear_away(const store::Container& row);
    [[nodiscard]] Result<> apply_forwards();
    /// During reconcile(): ends what was left half-way; gives one that runs its keys and SSH entry.
    void end_half_way(const store::Container& row);
    void find_again(const store::Container& row);
    void find_ended(const store::Container& row);
    [[nodiscard]] Result<> publish_keys(const store::Container& row);
    /// The variables of its commands and logins, later ones before earlier ones: those that its
    /// devices need, and its own.
    [[nodiscard]] std::vector<std::string> variables_of(const store::Container& row) const;
    /// Has logins get them from now on.
    [[nodiscard]] Result<> publish_environment(const store::Container& row) const;

    ServiceOptions options_;
    net::AddressPlan plan_;
    Rooms rooms_;
    store::Containers containers_;
    store::Ports ports_;
    store::SshKeys keys_;
    store::Devices devices_;
    store::Standby standby_;
    WaitingRoom waiting_;
    UnderWay creates_;
    Boots boots_;
    Uses uses_;
    WakeFailures wake_failures_;
    std::mutex oom_mutex_;
    std::map<std::string, LastOomKill, std::less<>> oom_kills_;  // by id
    KeyedLock locks_;            // one change at a time for each container
    std::mutex forwards_mutex_;  // the table that is written last is the one read last
    Remains remains_;            // last, so that it ends before what it uses
};

}  // namespace berth::container
