// SPDX-License-Identifier: Apache-2.0
// berth-agent: the helper that berthd puts into a container to start commands there. It is static,
// single-threaded, and lives only as long as its berthd. For each request it forks a supervisor;
// that becomes the reaper of everything the command starts, so that berthd can find and kill the
// whole tree, and tells berthd how the command ended. See host/exec/agent_protocol.h. With
// arguments it is what a container begins with: before_init.h.
#include "host/agent/before_init.h"
#include "host/agent/passwd.h"
#include "host/exec/agent_protocol.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace {

using berth::agent::User;
using berth::exec::Report;
using berth::exec::ReportKind;
using berth::exec::RequestHeader;
using berth::exec::Stage;

constexpr std::size_t strings_max = 4096;
constexpr std::size_t account_file_bytes_max = 256 * 1024;
constexpr int base_variables = 6;

struct Descriptors {
    int request, input, output, errors, reports;
};

struct Command {
    const char* user;
    const char* directory;
    bool lasting;
    char* argv[strings_max];
    char* environment[strings_max + base_variables];
};

Command command;  // static: a supervisor runs exactly one

/// Why the command did not start; written by its own process, in the supervisor's memory.
volatile struct {
    bool has_come;
    int stage, value;
} failure;

char passwd_text[account_file_bytes_max], group_text[account_file_bytes_max];
char home_variable[2048], user_variable[64], logname_variable[64], shell_variable[2048];

void send_report(int reports, ReportKind kind, Stage stage, int value) {
    const Report report{.kind = kind, .stage = stage, .value = value};
    (void)!::send(reports, &report, sizeof(report), MSG_NOSIGNAL);
}

[[noreturn]] void give_up(int reports, Stage stage, int error) {
    send_report(reports, ReportKind::failed, stage, error);
    ::_exit(1);
}

/// Reads the request's strings out of the memfd. Checks everything: the format is ours, but a
/// helper that never reads past its input needs no trust in whoever holds the other end.
bool read_request(int request) {
    struct stat status{};
    if (::fstat(request, &status) != 0 ||
        status.st_size < static_cast<off_t>(sizeof(RequestHeader)) ||
        status.st_size > static_cast<off_t>(berth::exec::request_bytes_max)) {
        return false;
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    auto* bytes =
        static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, request, 0));
    if (bytes == MAP_FAILED || bytes[size - 1] != '\0') return false;
    RequestHeader header{};
    std::memcpy(&header, bytes, sizeof(header));
    if (header.arguments == 0 || header.strings < header.arguments + 2 ||
        header.strings > strings_max)
        return false;
    std::size_t at = sizeof(header);
    for (std::uint32_t index = 0; index < header.strings; ++index) {
        if (at >= size) return false;
        char* text = bytes + at;
        at += std::strlen(text) + 1;
        if (index == 0)
            command.user = text;
        else if (index == 1)
            command.directory = text;
        else if (index < header.arguments + 2)
            command.argv[index - 2] = text;
        else
            command.environment[base_variables + index - header.arguments - 2] = text;
    }
    command.lasting = header.lasting == 1;
    return at == size;
}

bool read_account_file(const char* path, char (&text)[account_file_bytes_max]) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    std::size_t length = 0;
    for (ssize_t got = 1; got > 0 && length < account_file_bytes_max - 1;
         length += static_cast<std::size_t>(got)) {
        got = ::read(fd, text + length, account_file_bytes_max - 1 - length);
        if (got < 0) break;
    }
    text[length] = '\0';
    (void)::close(fd);
    return length > 0;
}

char* variable(char* into, std::size_t size, const char* name, const char* value) {
    std::strncpy(into, name, size - 1);
    std::strncat(into, value, size - std::strlen(into) - 1);
    return into;
}

void fill_environment(const User& user) {
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char language[] = "LANG=C.UTF-8";
    command.environment[0] = path;
    command.environment[1] = language;
    command.environment[2] = variable(home_variable, sizeof(home_variable), "HOME=", user.home);
    command.environment[3] = variable(user_variable, sizeof(user_variable), "USER=", command.user);
    command.environment[4] =
        variable(logname_variable, sizeof(logname_variable), "LOGNAME=", command.user);
    command.environment[5] = variable(shell_variable, sizeof(shell_variable), "SHELL=", user.shell);
}

/// The last of several settings of one variable counts, so a request can replace what stands here.
void drop_overridden_variables() {
    int kept = 0;
    for (int index = 0; command.environment[index] != nullptr; ++index) {
        const char* equals = std::strchr(command.environment[index], '=');
        const std::size_t name =
            equals == nullptr ? std::strlen(command.environment[index])
                              : static_cast<std::size_t>(equals - command.environment[index]) + 1;
        bool later = false;
        for (int other = index + 1; command.environment[other] != nullptr && !later; ++other) {
            later = std::strncmp(command.environment[index], command.environment[other], name) == 0;
        }
        if (!later) command.environment[kept++] = command.environment[index];
    }
    command.environment[kept] = nullptr;
}

/// The command's own process, up to exec. It has the supervisor's memory, which waits (vfork(2)):
/// no page is copied for what replaces them all, and what fails is told by a word.
[[noreturn]] void become_command(const Descriptors& fds, const User& user) {
    const auto fail = [](Stage stage) {
        failure.value = errno;
        failure.stage = static_cast<int>(stage);
        failure.has_come = true;
        ::_exit(127);
    };
    (void)::setsid();
    if (::dup2(fds.input, 0) < 0 || ::dup2(fds.output, 1) < 0 || ::dup2(fds.errors, 2) < 0)
        fail(Stage::process);
    if (::setgroups(user.group_count, user.groups) != 0 ||
        ::setresgid(user.gid, user.gid, user.gid) != 0 ||
        ::setresuid(user.uid, user.uid, user.uid) != 0) {
        fail(Stage::identity);
    }
    const bool chosen = command.directory[0] != '\0';
    if (::chdir(chosen ? command.directory : user.home) != 0 && (chosen || ::chdir("/") != 0))
        fail(Stage::directory);
    if (!command.lasting)
        (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears it
    (void)::umask(022);
    (void)::signal(SIGPIPE, SIG_DFL);
    (void)::signal(SIGCHLD, SIG_DFL);
    // berthd has told its caller that the command did not start, when it has not in time.
    pollfd reports{fds.reports, 0, 0};
    if (::poll(&reports, 1, 0) != 0) {
        errno = ECANCELED;
        fail(Stage::process);
    }
    environ = command.environment;  // its PATH is where the program is looked up
    (void)::execvp(command.argv[0], command.argv);
    fail(Stage::program);
    ::_exit(127);
}

[[noreturn]] void supervise(const Descriptors& fds) {
    (void)::signal(SIGCHLD, SIG_DFL);
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!read_request(fds.request)) give_up(fds.reports, Stage::request, EINVAL);
    if (!command.lasting) (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    User user{};
    if (!read_account_file("/etc/passwd", passwd_text)) give_up(fds.reports, Stage::user, errno);
    (void)read_account_file("/etc/group", group_text);
    if (!berth::agent::find_user(passwd_text, group_text, command.user, user))
        give_up(fds.reports, Stage::user, ENOENT);
    fill_environment(user);
    drop_overridden_variables();

    const pid_t pid = ::vfork();
    if (pid < 0) give_up(fds.reports, Stage::process, errno);
    if (pid == 0) become_command(fds, user);
    (void)::close(fds.input);
    (void)::close(fds.output);
    (void)::close(fds.errors);
    if (failure.has_come) give_up(fds.reports, static_cast<Stage>(failure.stage), failure.value);
    send_report(fds.reports, ReportKind::started, Stage::process, 0);
    for (;;) {
        int status = 0;
        const pid_t ended = ::waitpid(-1, &status, 0);
        if (ended < 0 && errno != EINTR) give_up(fds.reports, Stage::process, errno);
        if (ended != pid) continue;  // an orphan of the command's that came to us
        send_report(fds.reports, ReportKind::exited, Stage::process, status);
        ::_exit(0);
    }
}

/// Takes one request off the connection. False when berthd is gone.
bool receive(Descriptors& fds) {
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * berth::exec::request_descriptors)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t got = -1;
    do {
        got = ::recvmsg(berth::exec::agent_connection_fd, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr ||
        rights->cmsg_len != CMSG_LEN(sizeof(int) * berth::exec::request_descriptors))
        return false;
    std::memcpy(&fds, CMSG_DATA(rights), sizeof(fds));
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) berth::agent::begin(argv + 1);
    static_assert(sizeof(Descriptors) == sizeof(int) * berth::exec::request_descriptors);
    sigset_t none;
    (void)::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)::signal(SIGCHLD, SIG_IGN);  // supervisors report by themselves
    (void)::fcntl(berth::exec::agent_connection_fd, F_SETFD, FD_CLOEXEC);
    (void)::prctl(PR_SET_NAME,
                  "berth-agent");  // it was executed by descriptor, and has no name of its own
    (void)::setsid();
    for (Descriptors fds{}; receive(fds);) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            (void)::close(berth::exec::agent_connection_fd);
            supervise(fds);
        }
        if (pid < 0) send_report(fds.reports, ReportKind::failed, Stage::process, errno);
        const int all[] = {fds.request, fds.input, fds.output, fds.errors, fds.reports};
        for (const int fd : all) (void)::close(fd);
    }
    return 0;
}
