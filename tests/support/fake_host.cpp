// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_host.h"

#include "host/net/nft_elements.h"
#include "host/tools/recovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>

namespace berth {
namespace {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

const std::string digest = "sha256:" + std::string(64, 'a');

namespace fs = std::filesystem;

/// erase() takes no view yet.
void forget(auto& all, std::string_view id) {
    if (const auto found = all.find(id); found != all.end()) all.erase(found);
}

/// With their owners, which std::filesystem does not copy.
Result<engine::Copied> copy_files(const fs::path& from, const fs::path& to) {
    engine::Copied copied;
    if (!fs::exists(from)) return copied;
    fs::copy(from, to, fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
        struct stat status{};
        const auto made = to / fs::relative(entry.path(), from);
        if (::lstat(entry.path().c_str(), &status) != 0 ||
            ::lchown(made.c_str(), status.st_uid, status.st_gid) != 0)
            return fail(system_error("copy a file", errno));
        ++copied.entries;
    }
    return copied;
}

}  // namespace

Result<> FakeEngine::maybe_fail(std::string_view call) {
    if (failing_ != call || failures_ == 0) return {};
    --failures_;
    return fail(ErrorCode::unavailable, "made to fail");
}

Result<> FakeEngine::put(const engine::Spec& spec, const std::vector<engine::SeedFile>& seeds) {
    for (const auto& seed : seeds) {
        const auto path = changes(spec.id, spec.root) / seed.path;
        if (seed.absent || !seed.instead_of.empty()) continue;  // there is no image to take from
        BERTH_TRY(make_directories(path.parent_path()));
        const auto owner = static_cast<uid_t>(spec.uid_base);
        BERTH_TRY(write_file_atomically(
            path, seed.content,
            {.mode = seed.mode, .owner = owner, .group = owner, .durable = false}));
    }
    return {};
}

Result<> FakeEngine::create(const engine::Spec& spec, const std::vector<engine::SeedFile>& seeds) {
    tell("create");
    const std::lock_guard lock(mutex_);
    exists_.insert(spec.id);
    mounted_.insert(spec.id);
    roots[spec.id] = spec.root;
    if (spec.limits.disk_bytes > 0) with_disks_.insert(spec.id);
    BERTH_TRY(make_directories(changes(spec.id, spec.root)));
    BERTH_TRY(put(spec, seeds));
    return maybe_fail("create");
}

Result<> FakeEngine::start(const engine::Spec& spec) {
    tell("start");
    const std::lock_guard lock(mutex_);
    running_.insert(spec.id);
    mounted_.insert(spec.id);
    roots[spec.id] = spec.root;
    shares[spec.id] = spec.shares;
    driver_files[spec.id] = spec.driver;
    devices[spec.id].clear();
    for (const auto& device : spec.devices) devices[spec.id][device.path] = device;
    hostnames[spec.id] = spec.hostname;
    return maybe_fail("start");
}

void FakeEngine::begin(std::string_view id) {
    const std::lock_guard lock(mutex_);
    if (running_.contains(id)) begun_.emplace(id);
    begins_.notify_all();
}

bool FakeEngine::has_begun(std::string_view id, std::chrono::seconds wait) {
    std::unique_lock lock(mutex_);
    return begins_.wait_for(lock, wait, [&] { return begun_.contains(id); });
}

Result<> FakeEngine::stop(std::string_view id, int) {
    tell("stop");
    const std::lock_guard lock(mutex_);
    ends(id);
    return {};
}

void FakeEngine::ends(std::string_view id) {
    for (auto* ids : {&begun_, &running_, &frozen_}) forget(*ids, id);
    holds().end(id);
    if (const auto found = watches_.find(id); found != watches_.end()) {
        (void)::eventfd_write(found->second.get(), 1);
        watches_.erase(found);
    }
}

void FakeEngine::end_by_itself(std::string_view id, engine::Ending how) {
    const std::lock_guard lock(mutex_);
    ending_ = how;
    ends(id);
}

void FakeEngine::lose_power() {
    const std::lock_guard lock(mutex_);
    for (const auto& id : std::set(running_)) ends(id);
    mounted_.clear();
}

Result<Fd> FakeEngine::watch(std::string_view id) {
    const std::lock_guard lock(mutex_);
    if (!running_.contains(id)) return fail(ErrorCode::unavailable, "not running");
    auto& watch = watches_[std::string(id)];
    if (!watch) watch = Fd(::eventfd(0, EFD_CLOEXEC));
    Fd copy(::fcntl(watch.get(), F_DUPFD_CLOEXEC, 0));
    tell("watch");
    return copy;
}

engine::Ending FakeEngine::ending(std::string_view, const Fd&) {
    return ending_;
}

Result<> FakeEngine::check(const engine::Limits& wanted) const {
    if (limits_disk || wanted.disk_bytes == 0) return {};
    return fail(make_error(ErrorCode::unsupported, "the disk cannot be limited on this machine")
                    .at("/disk_bytes")
                    .next("leave it out"));
}

Result<> FakeEngine::check_share(const engine::Share& share, std::int64_t) const {
    const auto path = share.allowed / share.below;
    if (fs::is_directory(path)) return {};
    const auto code = fs::exists(path) ? ErrorCode::invalid_argument : ErrorCode::not_found;
    return fail(make_error(code, "there is no such directory").at("/host_path"));
}

Result<> FakeEngine::limit(std::string_view id, const engine::Limits& /*from*/,
                           const engine::Limits& to) {
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("limit"));
    const auto busy = [](std::string_view field) {
        return fail(make_error(ErrorCode::busy, "it uses more now").at(field));
    };
    if (with_disks_.contains(id) && to.disk_bytes < disk_use_bytes) return busy("/disk_bytes");
    if (running_.contains(id) && to.memory_bytes < (1 << 20)) return busy("/memory_bytes");
    limits.insert_or_assign(std::string(id), to);
    return {};
}

Result<> FakeEngine::add_device(const engine::Spec& spec, const engine::Device& device) {
    BERTH_TRY(maybe_fail("device"));
    const std::lock_guard lock(mutex_);
    if (!running_.contains(spec.id)) return fail(ErrorCode::unavailable, "not running");
    devices[spec.id][device.path] = device;
    return {};
}

Result<> FakeEngine::remove_device(const engine::Spec& spec, const engine::Device& device) {
    BERTH_TRY(maybe_fail("device"));
    const std::lock_guard lock(mutex_);
    if (!running_.contains(spec.id)) return fail(ErrorCode::unavailable, "not running");
    if (device.path == open_device) return fail(ErrorCode::busy, "a process inside has it open");
    devices[spec.id].erase(device.path);
    return {};
}

Result<> FakeEngine::renew_devices(const engine::Spec& spec) {
    BERTH_TRY(maybe_fail("device"));
    const std::lock_guard lock(mutex_);
    if (!running_.contains(spec.id)) return fail(ErrorCode::unavailable, "not running");
    devices[spec.id].clear();
    for (const auto& device : spec.devices) devices[spec.id][device.path] = device;
    return {};
}

Result<> FakeEngine::rename(const engine::Spec& spec, const std::vector<engine::SeedFile>& seeds) {
    tell("rename");
    const std::lock_guard lock(mutex_);
    if (!running_.contains(spec.id)) return fail(ErrorCode::unavailable, "not running");
    hostnames[spec.id] = spec.hostname;
    BERTH_TRY(put(spec, seeds));
    return maybe_fail("rename");
}

Result<engine::Usage> FakeEngine::usage(const engine::Spec& spec) {
    engine::Usage used{
        .disk = {.bytes = disk_use_bytes},
        .disk_by = spec.limits.disk_bytes > 0 ? engine::DiskBy::image : engine::DiskBy::none};
    used.running = running_use(spec.id);
    if (used.running) used.disk.exact = used.disk_by != engine::DiskBy::none;
    return used;
}

std::optional<engine::RunningUse> FakeEngine::running_use(std::string_view id) {
    if (!running(id)) return std::nullopt;
    return engine::RunningUse{.memory_bytes = (1 << 20), .cpu_ms = 10, .processes = 1};
}

std::optional<engine::DiskUse> FakeEngine::own_disk_use(std::string_view id) {
    const std::lock_guard lock(mutex_);
    if (!with_disks_.contains(id)) return std::nullopt;
    return engine::DiskUse{.bytes = disk_use_bytes};
}

Result<> FakeEngine::freeze(std::string_view id) {
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("freeze"));
    if (!running_.contains(id)) return fail(ErrorCode::unavailable, "not running");
    frozen_.insert(std::string(id));
    return {};
}

Result<> FakeEngine::hold_still(std::string_view id) {
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("freeze"));
    if (!running_.contains(id)) return fail(ErrorCode::unavailable, "not running");
    holds().begin(id);
    return {};
}

Result<> FakeEngine::thaw(std::string_view id) {
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("thaw"));
    forget(frozen_, id);
    holds().end(id);
    return {};
}

Result<> FakeEngine::kill(std::string_view id) {
    tell("kill");
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("kill"));
    ends(id);
    return {};
}

Result<> FakeEngine::destroy(std::string_view id) {
    tell("destroy");
    (void)stop(id, 0);
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("destroy"));
    for (auto* ids : {&exists_, &mounted_, &with_disks_}) forget(*ids, id);
    forget(roots, id);
    return remove_tree(files_.path() / id);
}

Result<engine::Copied> FakeEngine::copy_changes(const engine::Spec& spec,
                                                const std::filesystem::path& to,
                                                const engine::CopyBounds& bounds) {
    tell("copy");
    if (running(spec.id) && !frozen(spec.id) && !holds().contains(spec.id))
        return fail(ErrorCode::internal, "a running container is copied and is not halted");
    if (std::filesystem::exists(to)) return fail(ErrorCode::already_exists, "it is there already");
    std::filesystem::create_directory(to);
    if (bounds.cancelled.stop_requested()) return fail(ErrorCode::unavailable, "was cancelled");
    if (bounds.deadline < std::chrono::steady_clock::now())
        return fail(ErrorCode::timed_out, "there is more to copy than time for it");
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("copy"));
    auto copied = BERTH_TRY(copy_files(changes(spec.id, spec.root), to));
    copied.bytes = disk_use_bytes;
    return copied;
}

Result<> FakeEngine::prepare_root(const engine::Spec& spec) {
    tell("prepare");
    if (running(spec.id)) return fail(ErrorCode::internal, "a running container gets a new root");
    const std::lock_guard lock(mutex_);
    BERTH_TRY(maybe_fail("prepare"));
    return make_directories(changes(spec.id, spec.root));
}

Result<> FakeEngine::keep_root(const engine::Spec& spec) {
    const std::lock_guard lock(mutex_);
    if (!roots.contains(spec.id)) return {};
    roots[spec.id] = spec.root;
    for (const auto& entry : fs::directory_iterator(files_.path() / spec.id)) {
        if (entry.path() != changes(spec.id, spec.root)) BERTH_TRY(remove_tree(entry.path()));
    }
    return {};
}

Result<pid_t> FakeEngine::init_pid(std::string_view id) {
    if (!running(id)) return fail(ErrorCode::unavailable, "not running");
    return 1;
}

Result<std::vector<std::string>> FakeEngine::leftovers() {
    const std::lock_guard lock(mutex_);
    return std::vector<std::string>(exists_.begin(), exists_.end());
}

Result<> FakeEngine::inject(std::string_view id, const Fd& program, const Fd& connection) {
    if (!running(id)) return fail(ErrorCode::unavailable, "not running");
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::fork() != 0) ::_exit(0);
        constexpr int connection_fd = 3;
        std::array<char, 12> name{"berth-agent"};
        std::array<char*, 2> argv{name.data(), nullptr};
        std::array<char*, 1> environment{nullptr};
        const int moved = ::fcntl(program.get(), F_DUPFD_CLOEXEC, connection_fd + 1);
        if (::dup2(connection.get(), connection_fd) == connection_fd)
            (void)::fexecve(moved, argv.data(), environment.data());
        ::_exit(1);
    }
    (void)::waitpid(pid, nullptr, 0);
    return {};
}

Result<bool> FakeNetwork::apply(const std::vector<net::Forward>& forwards) {
    if (written && !found_changed && net::difference(applied, forwards).size() == 0) return false;
    if (refuse) return fail(ErrorCode::unavailable, "made to fail");
    written = true;
    applied = forwards;
    return std::exchange(found_changed, false);
}

Result<> FakeNetwork::check_free(const std::string&, std::int64_t host_port) {
    if (!used_by_host.contains(host_port)) return {};
    return fail(make_error(ErrorCode::busy, "a service of the host uses it")
                    .at("/host_port")
                    .next("choose another"));
}

Result<> FakeLogins::open(std::string_view id, std::int64_t port) {
    const std::lock_guard lock(mutex_);
    listening[std::string(id)] = port;
    asleep.erase(std::string(id));
    return {};
}

Result<> FakeLogins::await(std::string_view id, std::int64_t, ssh::Wake wake) {
    const std::lock_guard lock(mutex_);
    asleep.insert_or_assign(std::string(id), std::move(wake));
    return {};
}

void FakeLogins::close(std::string_view id) {
    const std::lock_guard lock(mutex_);
    forget(listening, id);
    asleep.erase(std::string(id));
}

Result<> FakeLogins::prove(std::int64_t port) {
    if (refuse_next > 0) {
        --refuse_next;
        return fail(ErrorCode::unavailable, "not yet");
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [id, known] : listening) {
        if (known == port) return {};
    }
    return fail(ErrorCode::unavailable, "nobody listens");
}

ssh::LoginUse FakeLogins::use(std::string_view id, std::int64_t) {
    const std::lock_guard lock(mutex_);
    return {.open = open_logins.contains(id)};
}

FakeHost::FakeHost(Settings wanted)
    : settings(wanted),
      sysfs({{.address = "0000:41:00.0", .pci_class = 0x0302, .vendor = 0x10de, .device = 0x2330}}),
      gpus(sysfs.roots()),
      images(directory.path() / "images") {
    const auto image = std::filesystem::path("images/sha256-" + digest.substr(7));
    const Json manifest{
        {"version", 1}, {"digest", digest}, {"created_at", "2026-01-01T00:00:00.000Z"}};
    directory.write(image / "manifest.json", to_text(manifest));
    std::filesystem::create_directories(directory.path() / image / "rootfs");
    std::filesystem::create_directories(directory.path() / "images/names");
    std::filesystem::create_directory_symlink(std::filesystem::path("..") / image.filename(),
                                              directory.path() / "images/names/debian-12");
    join();
}

void FakeHost::join() {
    database = must(store::Database::open(directory.path() / "berth.db"));
    warnings = std::make_unique<warning::Warnings>(
        *database, clock, events,
        warning::Options{.make_id = [this] { return fmt::format("wn_{:026}", next_warning++); }});
    agents = must(exec::AgentLink::make(engine, BERTH_AGENT));
    executor = std::make_unique<exec::Executor>(*agents,
                                                exec::KeptOutputs(directory.path() / "containers"));
    const net::AddressPlan plan(must(net::Subnet::parse("10.86.0.0/24")),
                                {.first = 20000, .last = 20999}, 1'000'000);
    layers = std::make_unique<snapshot::LayerStore>(*database, engine, clock, directory.path());
    store::Containers rows(*database);
    must(container::forget_lost(engine, rows));
    must(layers->recover());
    containers = std::make_unique<container::ContainerService>(
        container::ServiceOptions{.state_dir = directory.path(),
                                  .bridge = "berth0",
                                  .forward_ports = {.first = 30000, .last = 30003},
                                  .shares = container::ShareRules({directory.path() / "allowed"}),
                                  .location = "here",
                                  .pool = "field",
                                  .gpus_shared_by_owner = settings.gpus_shared_by_owner,
                                  .allow_nesting = settings.allow_nesting},
        plan,
        container::Rooms{.database = *database,
                         .engine = engine,
                         .network = network,
                         .images = images,
                         .agents = *agents,
                         .executor = *executor,
                         .logins = logins,
                         .clock = clock,
                         .events = events,
                         .layers = *layers,
                         .warnings = *warnings,
                         .guests = guests,
                         .gpus = gpus});
    must(containers->reconcile());
    keeper = std::make_unique<container::Keeper>(*containers, engine, clock, events, *warnings,
                                                 std::size_t{0});
    snapshots =
        std::make_unique<snapshot::SnapshotService>(*containers, *layers, *database, engine);
    transfers = std::make_unique<transfer::TransferService>(
        transfer::TransferOptions{.state_dir = directory.path(), .uid_base = 1'000'000},
        *containers, *layers, images, *database, clock);
    operations = std::make_unique<operation::Operations>(
        *database, clock, events, operation::Options{.make_id = [this] {
            return fmt::format("op_{:026}", next_operation++);
        }});
    must(operations->recover());
    registry = std::make_unique<ToolRegistry>(operations.get());
    operations->recover_with(tools::recovery(*containers, *registry));
    tools::bind_container_tools(*registry, *containers);
    tools::bind_lifecycle_tools(*registry, *containers);
    tools::bind_operation_tools(*registry, *operations);
    tools::bind_port_tools(*registry, *containers);
    tools::bind_snapshot_tools(*registry, *snapshots, *containers);
    tools::bind_ssh_tools(*registry, *containers);
    tools::bind_gpu_tools(*registry, gpus, [this] { return containers->gpu_holders(); });
    tools::bind_transfer_tools(*registry, *transfers, *containers,
                               transfer::ExportDirectory(directory.path() / "exports"));
    tools::bind_warning_tools(*registry, *warnings);
    tools::bind_system_tools(*registry, *containers, images, *warnings,
                             {.version = "test",
                              .engine = "fake",
                              .bridge = "berth0",
                              .subnet = "10.86.0.0/24",
                              .features = {}});
}

void FakeHost::restart() {
    operations.reset();
    registry.reset();
    keeper.reset();
    transfers.reset();
    snapshots.reset();
    containers.reset();
    layers.reset();
    executor.reset();
    agents.reset();
    warnings.reset();
    database.reset();
    logins.listening.clear();
    logins.asleep.clear();
    guests.listening.clear();
    network.written = false;
    join();
}

}  // namespace berth
