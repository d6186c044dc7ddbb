// SPDX-License-Identifier: Apache-2.0
#include "mcp-server/app/berthd/daemon.h"

#include "base/descriptor_limit.h"
#include "base/files.h"
#include "base/http_server.h"
#include "base/log.h"
#include "host/container/container_service.h"
#include "host/container/keeper.h"
#include "host/container/oom_watch.h"
#include "host/container/standby_keeper.h"
#include "host/engine/lxc/lxc_engine.h"
#include "host/events/events.h"
#include "host/guest/guest_service.h"
#include "host/image/debian_builder.h"
#include "host/metrics/scrape.h"
#include "host/net/table_watch.h"
#include "host/operation/operations.h"
#include "host/snapshot/snapshot_service.h"
#include "host/store/dump.h"
#include "host/tools/deprecations.h"
#include "host/tools/host_tools.h"
#include "host/tools/recovery.h"
#include "host/view/lxcfs.h"
#include "host/warning/kinds.h"
#include "host/warning/run_mark.h"
#include "mcp-server/app/berthd/features.h"
#include "mcp-server/app/berthd/gpu_watch.h"
#include "mcp-server/app/berthd/primary_options.h"
#include "mcp-server/app/berthd/tunnel_options.h"
#include "mcp-server/jsonrpc/event_endpoint.h"
#include "mcp-server/jsonrpc/rpc_endpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>

namespace berth::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto lock_wait_max = 10s;  // for a killed berthd and its children to let go
constexpr std::chrono::seconds removals_wait_max{5};  // at a stop; the next start does the rest
constexpr std::size_t callers_max = 512;

fs::path image_dir(const DaemonOptions& options) {
    return options.image_dir.empty() ? fs::path(options.state_dir) / "images"
                                     : fs::path(options.image_dir);
}
fs::path export_dir(const DaemonOptions& options) {
    return options.export_dir.empty() ? fs::path(options.state_dir) / "exports"
                                      : fs::path(options.export_dir);
}
fs::path socket_path(const DaemonOptions& options) {
    return options.socket.empty() ? fs::path(options.runtime_dir) / "berthd.sock"
                                  : fs::path(options.socket);
}

/// liblxc mounts through no symbolic link, so the state directory is used by its real path.
Result<DaemonOptions> with_real_state_dir(DaemonOptions options) {
    BERTH_TRY(make_directories(options.state_dir, 0711));
    // Who builds an image first makes it too, for root alone; containers' users pass through it.
    if (::chmod(options.state_dir.c_str(), 0711) != 0)
        return fail(
            system_error(fmt::format("open '{}' for containers", options.state_dir), errno));
    std::error_code problem;
    options.state_dir = fs::canonical(options.state_dir, problem).string();
    if (problem) return fail(system_error("resolve the state directory", problem.value()));
    return options;
}

/// Holds `directory`/lock alone; `busy`, said as `error`, when somebody else does for `wait_max`.
Result<Fd> lock_directory(const fs::path& directory, std::chrono::milliseconds wait_max,
                          const Error& error) {
    const auto path = directory / "lock";
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) return fail(system_error(fmt::format("open '{}'", path.string()), errno));
    const auto deadline = std::chrono::steady_clock::now() + wait_max;
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail(system_error(fmt::format("lock '{}'", path.string()), errno));
        if (std::chrono::steady_clock::now() >= deadline) return fail(error);
        (void)::poll(nullptr, 0, 10);  // flock(2) can wait, but not for a bounded time
    }
    return lock;
}

/// One berthd for a state directory. The lock is inherited by the launcher and the processes
/// that liblxc forks there, until they are titled monitors: whoever gets it knows that none of a
/// killed predecessor's is half-way.
Result<Fd> lock_state(const DaemonOptions& options) {
    return lock_directory(
        options.state_dir, lock_wait_max,
        make_error(ErrorCode::busy, fmt::format("another berthd serves '{}'", options.state_dir))
            .next("stop it first, or give this one another --state-dir"));
}

/// Everything below the tools, in the order of construction.
struct Host {
    explicit Host(const DaemonOptions& wanted) : options(wanted), images(image_dir(wanted)) {}
    DaemonOptions options;
    SystemClock clock;
    std::unique_ptr<engine::LxcEngine> engine;  // first: its launcher needs no database
    std::unique_ptr<store::Database> database;
    std::unique_ptr<net::HostNetwork> network;
    image::ImageStore images;
};

Result<std::unique_ptr<Host>> make_host(const DaemonOptions& options, const net::Subnet& subnet,
                                        const Fd& lock) {
    auto host = std::make_unique<Host>(options);
    host->engine = BERTH_TRY(engine::LxcEngine::make({.state_dir = options.state_dir,
                                                      .cgroup = options.cgroup,
                                                      .helper = options.agent,
                                                      .lock = lock.get()}));
    host->database = BERTH_TRY(store::Database::open(fs::path(options.state_dir) / "berth.db"));
    host->network = std::make_unique<net::HostNetwork>(net::NetworkOptions{
        .bridge = options.bridge, .subnet = subnet, .state_dir = options.state_dir});
    return host;
}

Fd stop_event;  // the one global: a signal handler has no other way to say something

void on_signal(int) {
    (void)::eventfd_write(stop_event.get(), 1);
}

/// Handlers, not a blocked mask: a mask would be inherited by everything that runs in containers.
Result<> catch_signals() {
    stop_event = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!stop_event) return fail(system_error("make an event", errno));
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGTERM, SIGINT}) (void)::sigaction(number, &action, nullptr);
    (void)::signal(SIGPIPE, SIG_IGN);
    (void)::signal(SIGHUP, SIG_IGN);
    return {};
}

void wait_for_signal() {
    pollfd polled{stop_event.get(), POLLIN, 0};
    while (::poll(&polled, 1, -1) != 1) {
    }
}

/// liblxc runs a shell around newuidmap if it finds it; as root berthd needs neither.
void hide_programs_from_liblxc() {
    (void)::setenv("PATH", "/nonexistent", 1);
}

tools::HostFacts facts_of(const Host& host) {
    return {.version = BERTH_VERSION,
            .engine = host.engine->version(),
            .cgroup_layout = host.engine->cgroups().layout(),
            .bridge = host.options.bridge,
            .subnet = host.options.subnet,
            .features = probe_features(*host.engine)};
}

container::ServiceOptions service_options(const DaemonOptions& options,
                                          net::PortRange forward_ports) {
    std::array<char, HOST_NAME_MAX + 1> machine{};
    (void)::gethostname(machine.data(), machine.size() - 1);
    return {.state_dir = options.state_dir,
            .bridge = options.bridge,
            .forward_ports = forward_ports,
            .version = BERTH_VERSION,
            .shares = container::ShareRules(
                {options.shares_allowed.begin(), options.shares_allowed.end()},
                {options.state_dir, options.runtime_dir, image_dir(options)}),
            .guest_sockets = options.guest_sockets,
            .location = options.host_name.empty() ? machine.data() : options.host_name,
            .pool = options.pool,
            .gpus_shared_by_owner = options.gpus_shared_by_owner,
            .allow_nesting = options.allow_nesting};
}

fs::path kernel_log_memory(const DaemonOptions& options) {
    return fs::path(options.runtime_dir) / "kernel_log_read";
}

/// Without the kernel's log kills are counted and not named, and that is a warning.
std::unique_ptr<container::OomWatch> watch_oom_kills(const DaemonOptions& options,
                                                     container::ContainerService& containers,
                                                     warning::Warnings& warnings) {
    constexpr std::string_view entity = "feature/kernel_log";
    auto watch = container::OomWatch::start(containers, kernel_log_memory(options));
    if (watch) {
        warnings.resolve(warning::feature_missing, entity);
        return *std::move(watch);
    }
    warnings.raise({.type = warning::feature_missing,
                    .severity = warning::Severity::info,
                    .entity = std::string(entity),
                    .message = fmt::format("processes killed for want of memory are counted and "
                                           "not named: {}",
                                           watch.error().message),
                    .next = "let berthd read /dev/kmsg, and restart it"});
    return nullptr;
}

/// Without the kernel's word, what others do to the table is found at the next change of ours.
std::unique_ptr<net::TableWatch> watch_table(container::ContainerService& containers,
                                             warning::Warnings& warnings) {
    constexpr std::string_view entity = "feature/nftables_notifications";
    auto watch = net::TableWatch::start([&containers] { return containers.keep_forwards(); });
    if (watch) {
        warnings.resolve(warning::feature_missing, entity);
        return *std::move(watch);
    }
    warnings.raise({.type = warning::feature_missing,
                    .entity = std::string(entity),
                    .message = fmt::format("what others do to berth's nftables table is not "
                                           "noticed at once: {}",
                                           watch.error().message),
                    .next = "restart berthd after other programs have flushed the rules"});
    return nullptr;
}

fs::path views_directory(const DaemonOptions& options) {
    return fs::path(options.runtime_dir) / "lxcfs";
}

/// Has containers see their own limits, as long as lxcfs shows them.
std::unique_ptr<view::Lxcfs> show_views(const DaemonOptions& options, engine::LxcEngine& engine,
                                        warning::Warnings& warnings) {
    static constexpr std::string_view entity = "feature/proc_views";
    if (options.lxcfs.empty()) {
        warnings.resolve(warning::feature_missing, entity);
        warnings.resolve(warning::service_ended, warning::lxcfs_entity);
        engine.show_views({});
        return nullptr;
    }
    const auto changed = [&engine, &warnings](const fs::path& directory, const Error* why) {
        engine.show_views(directory);
        if (why == nullptr) return warnings.resolve(warning::feature_missing, entity);
        warnings.raise({.type = warning::feature_missing,
                        .severity = warning::Severity::info,
                        .entity = std::string(entity),
                        .message = fmt::format("free and top in containers show what the host has, "
                                               "and not what they may use: {}",
                                               why->message),
                        .next = "install the package lxcfs; it is tried again every minute"});
    };
    const auto fate = [&warnings](bool ended) {
        if (ended) return warning::tell_lxcfs_ended(warnings);
        warnings.resolve(warning::service_ended, warning::lxcfs_entity);
    };
    return view::Lxcfs::start({.program = options.lxcfs, .directory = views_directory(options)},
                              changed, fate);
}

/// Those at containers' doors call into what is made after them, so they end before that.
class Entrances {
public:
    Entrances(guest::GuestService& guests, ssh::LoginService& logins)
        : guests_(guests), logins_(logins) {}
    Entrances(const Entrances&) = delete;
    Entrances& operator=(const Entrances&) = delete;
    ~Entrances() {
        guests_.stop();
        logins_.stop();
    }

private:
    guest::GuestService& guests_;
    ssh::LoginService& logins_;
};

}  // namespace

Result<> serve(const DaemonOptions& wanted) {
    const auto options = BERTH_TRY(with_real_state_dir(wanted));
    const auto subnet = BERTH_TRY(net::Subnet::parse(options.subnet));
    const net::AddressPlan plan(subnet, BERTH_TRY(net::PortRange::parse(options.ssh_ports)),
                                options.uid_base);
    const auto forward_ports = BERTH_TRY(net::PortRange::parse(options.forward_ports));
    BERTH_TRY(catch_signals());
    (void)raise_descriptor_limit();  // some for each container that runs, one for each stream
    hide_programs_from_liblxc();
    const Fd lock = BERTH_TRY(lock_state(options));
    BERTH_TRY(make_directories(options.runtime_dir));
    const auto host = BERTH_TRY(make_host(options, subnet, lock));
    BERTH_TRY(host->network->bring_up());
    const auto agents = BERTH_TRY(exec::AgentLink::make(*host->engine, options.agent));
    exec::Executor executor(*agents, exec::KeptOutputs(fs::path(options.state_dir) / "containers"));
    const auto logins = BERTH_TRY(ssh::LoginService::start(*agents));
    events::Events events;
    warning::Warnings warnings(*host->database, host->clock, events);
    const warning::RunMark mark(fs::path(options.state_dir) / "running", warnings);
    warnings.resolve(warning::service_ended, std::string(warning::launcher_entity));
    host->engine->on_launcher_restart([&warnings] { warning::tell_launcher_ended(warnings); });
    const auto facts = facts_of(*host);
    tell_features(facts.features, warnings);
    const auto guests = BERTH_TRY(guest::GuestService::start(host->clock));
    snapshot::LayerStore layers(*host->database, *host->engine, host->clock, options.state_dir);
    store::Containers rows(*host->database);
    BERTH_TRY(container::forget_lost(*host->engine, rows));
    BERTH_TRY(layers.recover());
    gpu::Gpus gpus(gpu_roots(options));
    container::ContainerService containers(service_options(options, forward_ports), plan,
                                           {.database = *host->database,
                                            .engine = *host->engine,
                                            .network = *host->network,
                                            .images = host->images,
                                            .agents = *agents,
                                            .executor = executor,
                                            .logins = *logins,
                                            .clock = host->clock,
                                            .events = events,
                                            .layers = layers,
                                            .warnings = warnings,
                                            .guests = *guests,
                                            .gpus = gpus});
    guests->answer_with([&containers](const std::string& id) { return containers.about(id); });
    const Entrances entrances(*guests, *logins);
    BERTH_TRY(containers.reconcile());
    snapshot::SnapshotService snapshots(containers, layers, *host->database, *host->engine);

    transfer::TransferService transfers(
        {.state_dir = options.state_dir, .uid_base = options.uid_base}, containers, layers,
        host->images, *host->database, host->clock);
    operation::Operations operations(*host->database, host->clock, events);
    BERTH_TRY(operations.recover());
    ToolRegistry registry(&operations);
    operations.recover_with(tools::recovery(containers, registry));
    tools::bind_container_tools(registry, containers);
    tools::bind_lifecycle_tools(registry, containers);
    tools::bind_operation_tools(registry, operations);
    tools::bind_port_tools(registry, containers);
    tools::bind_snapshot_tools(registry, snapshots, containers);
    tools::bind_ssh_tools(registry, containers);
    tools::bind_gpu_tools(registry, gpus, [&containers] { return containers.gpu_holders(); });
    tools::bind_transfer_tools(registry, transfers, containers,
                               transfer::ExportDirectory(export_dir(options)));
    tools::bind_system_tools(registry, containers, host->images, warnings, facts);
    tools::bind_warning_tools(registry, warnings);
    tools::Deprecations watched(registry, warnings);
    const auto gpu_watch = watch_gpus(options, events, warnings, containers);
    container::StandbyKeeper standby(containers, warnings, options.standby);
    container::Keeper keeper(containers, *host->engine, host->clock, events, warnings);
    keeper.start();
    const auto table = watch_table(containers, warnings);
    const auto kills = watch_oom_kills(options, containers, warnings);
    const auto views = show_views(options, *host->engine, warnings);
    metrics::Scrape scrape(containers, host->clock);
    standby.start();
    const auto server = BERTH_TRY(HttpServer::listen(
        UnixEndpoint{.path = socket_path(options), .mode = 0660, .group = options.socket_group},
        [&watched, &events, &scrape](const HttpRequest& request) {
            if (request.path == metrics::metrics_path) return scrape.answer(request);
            if (request.path == events_path) return answer_events(request, events);
            return answer_rpc(request, watched, {.trust_caller = true});
        },
        {.connections_max = callers_max, .error_body = rpc_error_body}));
    const auto tunnel = BERTH_TRY(keep_tunnel(options.tunnel, options.pool));
    auto registered = BERTH_TRY(keep_registered(options.primary));
    log::info("ready", {{"socket", socket_path(options)},
                        {"engine", host->engine->version()},
                        {"version", BERTH_VERSION}});
    wait_for_signal();
    log::info("stopping", {{"containers", options.stop_containers_on_exit ? "stop" : "go on"}});
    registered.reset();  // first of all, so that visitors hear at once
    standby.stop();
    keeper.stop();
    operations.stop();  // while the callers are still there to hear of it
    server->stop();
    containers.finish_removals(removals_wait_max);
    if (options.stop_containers_on_exit)
        containers.stop_all(std::chrono::seconds(options.shutdown_timeout));
    return {};
}

Result<> shutdown_containers(const DaemonOptions& wanted) {
    const auto options = BERTH_TRY(with_real_state_dir(wanted));
    const auto subnet = BERTH_TRY(net::Subnet::parse(options.subnet));
    hide_programs_from_liblxc();
    const Fd lock = BERTH_TRY(lock_state(options));
    const auto host = BERTH_TRY(make_host(options, subnet, lock));
    store::Containers rows(*host->database);
    container::stop_all(*host->engine, rows, std::chrono::seconds(options.shutdown_timeout));
    return {};
}

Result<> build_image(const DaemonOptions& options, const std::string& name, bool force) {
    const auto image_name = BERTH_TRY(ImageName::parse(name));
    if (name != "debian-12")
        return fail(make_error(ErrorCode::unsupported,
                               fmt::format("berth cannot build an image '{}'", name))
                        .next("build debian-12"));
    const image::ImageStore images(image_dir(options));
    BERTH_TRY(make_directories(images.root(), 0700));
    const Fd lock = BERTH_TRY(lock_directory(
        images.root(), 0ms,
        make_error(ErrorCode::busy, "another image is being built").next("wait until it is done")));
    BERTH_TRY(image::remove_leftovers(images));  // of a build that was killed
    if (const auto found = images.find(image_name); found && !force) {
        log::info("the image is there already", {{"image", name}, {"digest", found->digest}});
        return {};
    }
    const auto image = BERTH_TRY(image::build_debian(images, image_name, SystemClock()));
    log::info("image built", {{"image", name}, {"digest", image.digest}});
    return {};
}

Result<> dump(const DaemonOptions& options) {
    const auto text = BERTH_TRY(store::dump(fs::path(options.state_dir) / "berth.db"));
    return write_all(STDOUT_FILENO, text);
}

Result<> teardown(const DaemonOptions& wanted) {
    const auto options = BERTH_TRY(with_real_state_dir(wanted));
    const auto subnet = BERTH_TRY(net::Subnet::parse(options.subnet));
    hide_programs_from_liblxc();
    const Fd lock = BERTH_TRY(lock_state(options));
    const auto host = BERTH_TRY(make_host(options, subnet, lock));
    snapshot::LayerStore layers(*host->database, *host->engine, host->clock, options.state_dir);
    BERTH_TRY(layers.recover());  // what is held still cannot be ended
    for (const auto& id : BERTH_TRY(host->engine->leftovers())) {
        log::info("teardown: removing a container", {{"id", id}});
        BERTH_TRY(host->engine->destroy(id));
    }
    store::Containers containers(*host->database);
    for (const auto& row : BERTH_TRY(containers.all())) BERTH_TRY(containers.remove(row.id));
    BERTH_TRY(layers.tear_down());
    view::Lxcfs::end(views_directory(options));
    (void)::unlink(kernel_log_memory(options).c_str());
    host->engine->remove_shared();
    return host->network->tear_down();
}

}  // namespace berth::app
