// SPDX-License-Identifier: Apache-2.0
#include "host/engine/lxc/lxc_engine.h"

#include "base/fault.h"
#include "base/files.h"
#include "base/log.h"
#include "base/rollback.h"
#include "host/engine/lxc/apparmor_profile.h"
#include "host/engine/lxc/cpu_weight.h"
#include "host/engine/lxc/init_ending.h"
#include "host/engine/lxc/kernel_ceilings.h"
#include "host/engine/lxc/limit_settings.h"
#include "host/engine/lxc/proc_views.h"
#include "host/engine/lxc/rootfs.h"
#include "host/engine/lxc/seccomp_profile.h"
#include "host/engine/lxc/tree_copy.h"
#include "host/net/links.h"
#include "host/net/rates.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <set>

namespace berth::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t id_characters = 10;
constexpr auto ending_time_max = 2s;  // for liblxc's monitor to take note of an end
constexpr int ending_moment_ms = 5;

/// The last thing liblxc complained of, for the message of a failed start.
std::string last_complaint(const fs::path& log) {
    constexpr std::size_t log_bytes_max = 1024 * 1024;
    const auto text = read_file(log, log_bytes_max);
    if (!text) return "liblxc gave no reason";
    std::string_view rest = *text;
    std::string_view last;
    while (!rest.empty()) {
        const auto line = rest.substr(0, rest.find('\n'));
        if (last.empty() && line.contains(" ERROR "))
            last = line;  // the first is the cause, the rest follows from it
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
    const auto reason = last.rfind(" - ");
    return std::string(reason == std::string_view::npos ? last : last.substr(reason + 3));
}

constexpr std::string_view helper_group = "berth-agent";

/// As the kernel says of that process (proc(5)).
bool has_no_new_privileges(pid_t pid) {
    const auto status = read_file(fmt::format("/proc/{}/status", pid));
    return status && status->contains("\nNoNewPrivs:\t1\n");
}

/// What the launcher said, with what liblxc said of it.
Error explained(const Error& error, std::string_view what, const fs::path& log) {
    if (error.code != ErrorCode::unavailable) return error;
    return make_error(error.code,
                      fmt::format("{}: {}: {}", what, error.message, last_complaint(log)));
}

Error full_error(const std::string& bridge) {
    return make_error(ErrorCode::quota_exceeded,
                      fmt::format("the bridge '{}' takes no more running containers: Linux gives "
                                  "one 1,023 ports",
                                  bridge))
        .next("stop one that nobody needs with container_stop");
}

bool is_id(std::string_view text) {
    return text.size() == id_characters &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

void LxcEngine::Release::operator()(lxc_container* container) const noexcept {
    (void)::lxc_container_put(container);
}

Result<std::unique_ptr<LxcEngine>> LxcEngine::make(LxcOptions options) {
    auto cgroups = BERTH_TRY(Cgroups::probe());
    raise_kernel_ceilings();
    weigh_containers(cgroups, options.cgroup);
    BERTH_TRY(make_directories(options.state_dir / "containers", 0711));
    BERTH_TRY(make_directories(options.state_dir / "lxc" / "root"));
    BERTH_TRY(write_file_atomically(options.state_dir / "lxc" / "seccomp", seccomp_profile()));
    auto launcher = BERTH_TRY(Launcher::make(options.state_dir / "lxc", options.lock));
    auto way_in = BERTH_TRY(WayIn::make(options.state_dir / "lxc", options.helper));
    // After the launcher, since it has a thread.
    auto monitors = BERTH_TRY(MonitorFifo::listen(options.state_dir / "lxc"));
    const auto confined = load_apparmor_profile(options.state_dir / "lxc");
    Means means{.disk = OwnDisk::best(options.state_dir / "lxc" / "probe"),
                .rates = net::can_limit_rates(),
                .unconfined_because = confined ? "" : confined.error().message};
    return std::unique_ptr<LxcEngine>(new LxcEngine(std::move(options), std::move(cgroups),
                                                    std::move(launcher), std::move(way_in),
                                                    std::move(monitors), std::move(means)));
}

std::string LxcEngine::version() const {
    return fmt::format("lxc {}", ::lxc_get_version());
}

fs::path LxcEngine::directory(std::string_view id) const {
    return options_.state_dir / "containers" / id;
}

LxcEngine::Handle LxcEngine::open(std::string_view id) const {
    return Handle(::lxc_container_new(std::string(id).c_str(), lxc_path().c_str()));
}

Result<> LxcEngine::create(const Spec& spec, const std::vector<SeedFile>& seeds) {
    const Rootfs rootfs(directory(spec.id));
    if (spec.limits.disk_bytes > 0) {
        BERTH_TRY(make_directories(directory(spec.id), 0711));
        BERTH_TRY(rootfs.disk().create(spec.limits.disk_bytes,
                                       static_cast<std::uint32_t>(spec.uid_base), means_.disk));
    }
    BERTH_TRY(open_disk(rootfs));
    BERTH_TRY(rootfs.create(spec.uid_base, spec.root));
    BERTH_TRY(rootfs.mount(spec.base, spec.uid_base, spec.root));
    for (const auto& file : seeds) BERTH_TRY(rootfs.seed(file, spec.uid_base));
    return {};
}

Result<> LxcEngine::start(const Spec& spec) {
    const Rootfs rootfs(directory(spec.id));
    if (rootfs.disk().gave_up()) BERTH_TRY(rootfs.detach());
    BERTH_TRY(rootfs.unshare());  // of a start before this one
    BERTH_TRY(open_disk(rootfs));
    BERTH_TRY(rootfs.mount(spec.base, spec.uid_base, spec.root));
    BERTH_TRY(rootfs.expose(spec.host_files, guest_files, spec.uid_base));
    if (!spec.device_files.empty()) BERTH_TRY(make_directories(spec.device_files, 0755));
    for (const auto& share : spec.shares) BERTH_TRY(rootfs.share(share, spec.uid_base));
    auto run_mounts = BERTH_TRY(rootfs.equip(spec.driver, spec.uid_base));
    BERTH_TRY(nodes(spec.id).make(spec.devices, spec.uid_base));
    // Right after an init has ended its monitor is still there, and liblxc would take the container
    // for running.
    if (!cgroups_.processes(monitor_group(options_.cgroup, spec.id)).empty())
        BERTH_TRY(end_processes(spec.id));
    monitors_->forget(spec.id);
    const fs::path log = directory(spec.id) / "lxc.log";
    (void)::unlink(log.c_str());
    auto way_in = BERTH_TRY(way_in_.prepare(spec.id, directory(spec.id), spec.uid_base));
    const auto config = BERTH_TRY(lxc_config(
        spec,
        {.rootfs = rootfs.path(),
         .mount_point = lxc_path() / "root",
         .seccomp = lxc_path() / "seccomp",
         .apparmor = means_.unconfined_because.empty() ? apparmor_profile_name : "unconfined",
         .log = log,
         .cgroup = options_.cgroup,
         .disk = disk_,
         .nodes = nodes(spec.id),
         .run_mounts = std::move(run_mounts),
         .way_in = std::move(way_in),
         .helper = way_in_.helper()},
        cgroups_));
    BERTH_TRY(fault::at("engine.launch"));
    if (const auto started = launcher_->start(spec.id, config); !started)
        return fail(explained(started.error(), "the container did not start", log));
    BERTH_TRY(fault::at("engine.launched"));
    const Handle container = open(spec.id);
    if (!container) return fail(ErrorCode::unavailable, "liblxc could not make a container object");
    remember(spec.id, container.get());
    auto met = way_in_.meet(spec.id, BERTH_TRY(watch(spec.id)));
    if (!met) return fail(std::move(met).error().in("the container did not start"));
    // Or init would count what commands use as its own, and its share of processes would be theirs.
    BERTH_TRY(cgroups_.set_apart(payload_group(options_.cgroup, spec.id), helper_group, *met));
    BERTH_TRY(furnish(spec, container->init_pid(container.get())));
    BERTH_TRY(hold_disk(rootfs, spec.limits));
    if (!way_in_.tell_ready(spec.id))
        return fail(ErrorCode::unavailable, "the container ended before its init could begin");
    return {};
}

/// What init is to find, with the helper still in its place.
Result<> LxcEngine::furnish(const Spec& spec, pid_t init) {
    show_views_in(spec.id, views());
    const auto& [bridge, mac, ipv4, prefix_length, gateway] = spec.network;
    const net::GuestEnd end{
        .mac = mac, .ipv4 = ipv4, .prefix_length = prefix_length, .gateway = gateway};
    if (auto connected = net::connect_guest(host_interface(spec.id), bridge, end, init); !connected)
        return fail(net::is_full(bridge) ? full_error(bridge) : std::move(connected).error());
    const auto& limits = spec.limits;
    const bool slow = limits.receive_bytes_per_second > 0 || limits.send_bytes_per_second > 0;
    return slow ? limit_rates(spec.id, limits) : Result<>();
}

Result<Copied> LxcEngine::copy_changes(const Spec& spec, const fs::path& to,
                                       const CopyBounds& bounds) {
    const Rootfs rootfs(directory(spec.id));
    BERTH_TRY(rootfs.disk().mount());
    return copy_tree(rootfs.upper(spec.root), to, bounds);
}

Result<> LxcEngine::prepare_root(const Spec& spec) {
    const Rootfs rootfs(directory(spec.id));
    BERTH_TRY(fault::at("restore.prepare"));
    BERTH_TRY(rootfs.unmount());
    BERTH_TRY(open_disk(rootfs));
    return rootfs.create(spec.uid_base, spec.root);
}

Result<> LxcEngine::keep_root(const Spec& spec) {
    BERTH_TRY(fault::at("restore.recorded"));
    const Rootfs rootfs(directory(spec.id));
    if (!running(spec.id)) BERTH_TRY(rootfs.unshare());  // of a start that was cut short
    if (const auto mounted = rootfs.disk().mount(); !mounted) {
        // One broken disk is no reason for the others' containers not to come up.
        log::warning("a container's disk cannot be mounted",
                     {{"id", spec.id}, {"cause", mounted.error().message}});
        return {};
    }
    return rootfs.keep(spec.root);
}

void LxcEngine::remember(std::string_view id, lxc_container* container) {
    Fd init(container->init_pidfd(container));
    if (!init) return;
    const bool frozen = is_frozen(cgroups_, payload_group(options_.cgroup, id));
    const std::lock_guard lock(mutex_);
    inits_.insert_or_assign(std::string(id), Init{.handle = std::move(init), .frozen = frozen});
}

fs::path LxcEngine::views() {
    const std::lock_guard lock(mutex_);
    return views_;
}

/// A container works without, too, so this fails nothing.
void LxcEngine::show_views_in(std::string_view id, const fs::path& provider) {
    const auto init = init_pid(id);
    if (const auto shown = init ? engine::show_views(*init, provider) : Result<>(); !shown)
        log::warning("a container does not see its own limits in /proc",
                     {{"id", std::string(id)}, {"cause", shown.error().message}});
}

void LxcEngine::show_views(const fs::path& provider) {
    {
        const std::lock_guard lock(mutex_);
        views_ = provider;
    }
    for (const auto& id : cgroups_.children(options_.cgroup)) {
        if (is_id(id) && running(id)) show_views_in(id, provider);
    }
}

bool LxcEngine::running(std::string_view id) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = inits_.find(id); found != inits_.end()) {
            auto& init = found->second;
            pollfd polled{init.handle.get(), POLLIN, 0};
            // A pidfd is readable once its process has ended.
            init.ended = init.ended || ::poll(&polled, 1, 0) != 0;
            return !init.ended;
        }
    }
    // What has no process does not run. liblxc would say so too, but of a container that is just
    // ending only after a second or more, and a list must not wait.
    if (cgroups_.processes(payload_group(options_.cgroup, id)).empty()) return false;
    const Handle container = open(id);
    if (!container || container->init_pid(container.get()) <= 0) return false;
    remember(id, container.get());
    return true;
}

bool LxcEngine::mounted(std::string_view id) {
    return Rootfs(directory(id)).mounted();
}

Result<Fd> LxcEngine::watch(std::string_view id) {
    if (!running(id)) return fail(ErrorCode::unavailable, "the container is not running");
    const std::lock_guard lock(mutex_);
    const auto found = inits_.find(id);
    Fd copy(found == inits_.end() ? -1 : ::fcntl(found->second.handle.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return fail(ErrorCode::unavailable, "the container's init cannot be watched");
    return copy;
}

Ending LxcEngine::ending(std::string_view id, const Fd& watch) {
    const auto deadline = std::chrono::steady_clock::now() + ending_time_max;
    auto status = monitors_->first_of(id);
    while (!status && monitored(id) && std::chrono::steady_clock::now() < deadline) {
        (void)::poll(nullptr, 0, ending_moment_ms);
        status = monitors_->first_of(id);
    }
    if (!status) status = monitors_->first_of(id);  // a monitor's last word
    if (!status) status = exit_status_of(watch);    // it was killed too
    return status ? ending_of(*status) : Ending::unknown;
}

Result<> LxcEngine::freeze(std::string_view id) {
    if (!running(id)) return fail(ErrorCode::unavailable, "the container is not running");
    BERTH_TRY(fault::at("engine.freeze"));
    BERTH_TRY(set_frozen(cgroups_, payload_group(options_.cgroup, id), true));
    const std::lock_guard lock(mutex_);
    if (const auto found = inits_.find(id); found != inits_.end()) found->second.frozen = true;
    return {};
}

Result<> LxcEngine::hold_still(std::string_view id) {
    if (!running(id)) return fail(ErrorCode::unavailable, "the container is not running");
    BERTH_TRY(fault::at("engine.freeze"));
    holds().begin(id);
    auto held = set_frozen(cgroups_, payload_group(options_.cgroup, id), true);
    if (!held) holds().end(id);
    return held;
}

Result<> LxcEngine::thaw(std::string_view id) {
    BERTH_TRY(fault::at("engine.thaw"));
    const auto group = payload_group(options_.cgroup, id);
    // Of one that has ended meanwhile nothing is halted, and the group may be gone.
    if (auto thawed = set_frozen(cgroups_, group, false);
        !thawed && !cgroups_.processes(group).empty())
        return thawed;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = inits_.find(id); found != inits_.end()) found->second.frozen = false;
    }
    holds().end(id);
    return {};
}

bool LxcEngine::frozen(std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto found = inits_.find(id);
    return found != inits_.end() && found->second.frozen;
}

/// What is halted hears no signal, not even one that kills (cgroup v1).
void LxcEngine::let_go_on(std::string_view id) {
    if (!cgroups_.processes(payload_group(options_.cgroup, id)).empty()) (void)thaw(id);
    holds().end(id);
}

Result<pid_t> LxcEngine::init_pid(std::string_view id) {
    const Handle container = open(id);
    const pid_t pid = container ? container->init_pid(container.get()) : -1;
    if (pid <= 0) return fail(ErrorCode::unavailable, "the container is not running");
    return pid;
}

Result<> LxcEngine::stop(std::string_view id, int timeout_seconds) {
    BERTH_TRY(fault::at("engine.stop"));
    const Handle container = open(id);
    if (!container) return fail(ErrorCode::unavailable, "liblxc could not make a container object");
    let_go_on(id);
    begin(id);
    const bool clean =
        timeout_seconds > 0 && container->init_pid(container.get()) > 0 &&
        container->set_config_item(container.get(), "lxc.signal.halt", "SIGRTMIN+3") &&
        container->shutdown(container.get(), timeout_seconds);
    if (!clean && container->init_pid(container.get()) > 0) (void)container->stop(container.get());
    BERTH_TRY(end_processes(id));
    way_in_.forget(id);
    return Rootfs(directory(id)).unshare();  // so that the host can unmount what it had shared
}

Result<std::vector<std::string>> LxcEngine::leftovers() {
    // A start or a stop that was cut short by the end of another berthd ends by itself, and what of
    // it was still ending then could not be removed; or is ending now, and nobody looks again.
    std::set<std::string> grouped;
    for (const auto& group : {options_.cgroup, options_.cgroup + ".monitor"}) {
        for (auto& id : cgroups_.children(group)) grouped.insert(std::move(id));
    }
    for (const auto& id : grouped) {
        if (is_id(id) && cgroups_.processes(payload_group(options_.cgroup, id)).empty())
            (void)end_processes(id);  // what stays is found by whoever uses that id
    }
    // Its pair goes with its namespace; what its packets took a detour through does not.
    for (const auto& detour : net::links_named(detour_interface_prefix)) {
        const auto id = detour.substr(detour_interface_prefix.size());
        if (is_id(id) && !net::link_exists(host_interface(id))) BERTH_TRY(net::delete_link(detour));
    }
    std::set<std::string> found;
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(options_.state_dir / "containers", gone))
        found.insert(entry.path().filename());
    for (const auto& group : {options_.cgroup, options_.cgroup + ".monitor"}) {
        for (auto& id : cgroups_.children(group)) found.insert(std::move(id));
    }
    for (const auto prefix : {host_interface_prefix, detour_interface_prefix}) {
        for (const auto& link : net::links_named(prefix)) found.insert(link.substr(prefix.size()));
    }
    std::erase_if(found, [](const std::string& id) { return !is_id(id); });
    return std::vector(found.begin(), found.end());
}

Result<> LxcEngine::inject(std::string_view id, const Fd& program, const Fd& connection) {
    BERTH_TRY(fault::at("agent.inject"));
    if (way_in_.hand(id, program, connection)) return {};
    const pid_t init = BERTH_TRY(init_pid(id));
    rlimit files{};
    const bool known = ::prlimit(init, RLIMIT_NOFILE, nullptr, &files) == 0;
    auto config = process_limit_config(known ? files.rlim_max : open_files_max);
    if (has_no_new_privileges(init)) config.push_back(no_new_privileges());
    const auto entered = launcher_->enter(id, config, program, connection);
    if (entered) return {};
    return fail(explained(entered.error(), "berth's helper did not start in the container",
                          directory(id) / "lxc.log"));
}

void LxcEngine::remove_shared() {
    cgroups_.remove(options_.cgroup);
    cgroups_.remove(options_.cgroup + ".monitor");
    cgroups_.remove(pivot_group(options_.cgroup));
    MonitorFifo::remove(lxc_path());
    remove_empty_directories(fs::path("/run/lxc/lock") / lxc_path().relative_path(), "/run");
}

}  // namespace berth::engine
