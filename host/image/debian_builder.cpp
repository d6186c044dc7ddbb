// SPDX-License-Identifier: Apache-2.0
#include "host/image/debian_builder.h"

#include "base/files.h"
#include "base/rollback.h"
#include "base/subprocess.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <ranges>
#include <set>

namespace berth::image {
namespace {

constexpr std::string_view suite = "bookworm";
constexpr std::string_view keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

constexpr std::string_view packages =
    "systemd-sysv,dbus,openssh-server,sudo,ca-certificates,curl,iproute2,iputils-ping,procps,less,"
    "vim-tiny,netbase,libnss-myhostname,python3-minimal,bash-completion";

/// Units that can only fail, or serve nobody, in an unprivileged container.
constexpr std::array masked_units{
    "ssh.service", "ssh.socket",  // the daemon starts `sshd -i` for each connection
    // Mounts of the kernel's that a user namespace may not have: each would be a failed unit, and
    // every container "degraded".
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
    "dev-hugepages.mount", "proc-sys-fs-binfmt_misc.automount",
    "systemd-journald-audit.socket",  // the kernel audits for its first user namespace alone
    "modprobe@.service",              // a container loads no module
    "getty.target", "console-getty.service"};  // and has no terminal that anyone looks at

/// Units that stay for whoever wants them: enabled, they would wake every container of a host at
/// once.
constexpr std::array disabled_units{"apt-daily.timer",   "apt-daily-upgrade.timer",
                                    "fstrim.timer",      "dpkg-db-backup.timer",
                                    "e2scrub_all.timer", "e2scrub_reap.service"};

/// What a boot starts by default and no container needs at every boot; half of the processor time
/// of a boot goes there. Each can still be started, and the bus and logind start when they are
/// asked.
constexpr std::array unneeded_at_boot{
    "multi-user.target.wants/dbus.service",
    "multi-user.target.wants/systemd-logind.service",
    "multi-user.target.wants/systemd-ask-password-wall.path",  // nobody types a disk's password
    "sysinit.target.wants/systemd-ask-password-console.path",
    "multi-user.target.wants/systemd-update-utmp-runlevel.service",  // nor reads of runlevels
    "sysinit.target.wants/systemd-update-utmp.service",
    "sockets.target.wants/systemd-initctl.socket",
    "multi-user.target.wants/systemd-user-sessions.service",  // there is no /run/nologin, see below
    "local-fs.target.wants/systemd-remount-fs.service",       // the host has mounted everything
    "sysinit.target.wants/dev-mqueue.mount",
    "sysinit.target.wants/systemd-tmpfiles-setup-dev.service",
    "sysinit.target.wants/kmod-static-nodes.service"};

/// Programs that run at each boot to look for hardware or a kernel command line. Those for fstab,
/// rc.local and init scripts stay: a user may have any of these.
constexpr std::array masked_generators{
    "cryptsetup",     "debug", "getty",         "gpt-auto",   "hibernate-resume",
    "integritysetup", "run",   "system-update", "veritysetup"};

/// mmdebstrap gives each of these to sh, with the root file system as $1.
std::vector<std::string> hooks() {
    return {
        fmt::format(R"(chroot "$1" systemctl mask {})", fmt::join(masked_units, " ")),
        fmt::format(R"(chroot "$1" systemctl disable {})", fmt::join(disabled_units, " ")),
        fmt::format(R"(cd "$1"/etc/systemd/system && for w in {}; do )"
                    R"(mkdir -p "${{w%/*}}" && ln -sf /dev/null "$w"; done)",
                    fmt::join(unneeded_at_boot, " ")),
        fmt::format(R"(cd "$1"/etc/systemd && mkdir system-generators && for g in {}; do )"
                    R"(ln -s /dev/null system-generators/systemd-$g-generator; done)",
                    fmt::join(masked_generators, " ")),
        // Each container gets a host key of its own.
        R"(rm "$1"/etc/ssh/ssh_host_*)",
        // A container is ready when it answers, boot done or not: what is written to /tmp from then
        // on stays, and everybody may log in.
        R"(echo 'd /tmp 1777 root root -' > "$1"/etc/tmpfiles.d/tmp.conf)",
        R"(ln -s /dev/null "$1"/etc/tmpfiles.d/systemd-nologin.conf)",
        // mmdebstrap copies the name and the name servers of the host that builds the image, and
        // itself empties /etc/machine-id, so that each container gets one at its first start.
        R"(cd "$1"/etc && rm -f hostname resolv.conf && touch hostname resolv.conf)",
        // Not the default of a tenth of the host's disk, in each container.
        R"(mkdir "$1"/etc/systemd/journald.conf.d)",
        R"(printf '[Journal]\nSystemMaxUse=64M\n' > "$1"/etc/systemd/journald.conf.d/berth.conf)",
        R"(echo LANG=C.UTF-8 > "$1"/etc/default/locale)",
        // Nothing under /usr is newer than /etc and /var, so that the first start of a container
        // does not run ldconfig and the like.
        R"(touch "$1"/etc/.updated "$1"/var/.updated)",
    };
}

/// The official archive's suites as the host reads them, as lines of sources.list; none when the
/// host has no APT or reads another distribution: mmdebstrap then takes its default.
std::vector<std::string> host_mirrors() {
    const auto targets = run_subprocess(
        {.argv = {"apt-get", "indextargets", "--format",
                  "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)", "Identifier: Packages"}});
    if (!targets || targets->exit_code != 0) return {};
    std::set<std::string> mirrors;  // a host of two architectures names each twice
    bool whole = false;
    for (const auto found : std::views::split(std::string_view(targets->output), '\n')) {
        const std::string_view line(found.begin(), found.end());
        for (const std::string_view part : {"", "-updates", "-security"}) {
            const std::string start = fmt::format("Debian main {}{} ", suite, part);
            if (!line.starts_with(start + "http://") && !line.starts_with(start + "https://")) {
                continue;
            }
            whole = whole || part.empty();
            mirrors.insert(fmt::format("deb [signed-by={}] {} {}{} main", keyring,
                                       line.substr(start.size()), suite, part));
        }
    }
    if (!whole) return {};
    return {mirrors.begin(), mirrors.end()};
}

std::vector<std::string> environment(const std::filesystem::path& temporary) {
    auto out = SubprocessSpec{}.environment;
    out.push_back("TMPDIR=" + temporary.string());
    out.emplace_back("SOURCE_DATE_EPOCH=1686355200");  // 2023-06-10, the release of Debian 12
    for (const std::string scheme : {"http", "https"}) {
        const auto proxy = run_subprocess(
            {.argv = {"apt-config", "dump", "--format", "%v", "Acquire::" + scheme + "::Proxy"}});
        if (proxy && !proxy->output.empty()) out.push_back(scheme + "_proxy=" + proxy->output);
    }
    return out;
}

}  // namespace

Result<Image> build_debian(const ImageStore& store, const ImageName& name, const Clock& clock) {
    constexpr auto time_max = std::chrono::minutes(20);
    const std::filesystem::path temporary = store.root() / (".import-" + random_hex(8));
    const std::filesystem::path tar = temporary / "image.tar";
    Rollback always;  // never kept: the image store has its own copy in the end
    always.on_failure([temporary]() noexcept { (void)remove_tree(temporary); });
    BERTH_TRY(make_directories(temporary, 0700));
    // As root, "unshare" changes no user id; it makes the mounts in a namespace of its own, where
    // they go when mmdebstrap is killed.
    SubprocessSpec spec{.argv = {"mmdebstrap", "--mode=unshare", "--variant=minbase",
                                 fmt::format("--include={}", packages)},
                        .environment = environment(temporary),
                        .timeout = time_max,
                        .inherit_output = true};
    for (const auto& hook : hooks()) spec.argv.push_back("--customize-hook=" + hook);
    spec.argv.emplace_back(suite);
    spec.argv.push_back(tar.string());
    for (auto& mirror : host_mirrors()) spec.argv.push_back(std::move(mirror));
    if (const auto ran = run_checked(spec); !ran) {
        return fail(make_error(ErrorCode::unavailable, "build an image: " + ran.error().message)
                        .next("install mmdebstrap, and look at what it wrote to standard error"));
    }
    return store.import_tar(tar, name, to_rfc3339(clock.wall()));
}

}  // namespace berth::image
