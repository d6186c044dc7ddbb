// SPDX-License-Identifier: Apache-2.0
// What root inside a container tries so that a read-only share can be written: DIRECTORY. Each line is an attempt and
// what came of it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 1
#endif
enum { MS_REMOUNT_ = 32, MS_BIND_ = 4096, MS_REC_ = 16384, MNT_DETACH_ = 2, AT_RECURSIVE_ = 0x8000 };

static void say(const char* attempt, long result) {
    printf("%s %s\n", attempt, result < 0 ? strerrorname_np(errno) : "allowed");
    fflush(stdout);
}

static long mount_(const char* from, const char* to, unsigned long flags) {
    return syscall(SYS_mount, from, to, NULL, flags, NULL);
}

static long set_writable(int at, const char* path, unsigned flags) {
    struct { uint64_t set, clear, propagation, userns; } attributes = {0, MOUNT_ATTR_RDONLY, 0, 0};
    return syscall(442 /* mount_setattr */, at, path, flags, &attributes, sizeof(attributes));
}

static long write_in(const char* directory) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/written", directory);
    return open(path, O_WRONLY | O_CREAT, 0644);
}

int main(int count, char** arguments) {
    if (count != 2) return 2;
    const char* share = arguments[1];
    mkdir("/mnt/bind", 0755);
    mkdir("/mnt/clone", 0755);
    say("set_attributes", set_writable(AT_FDCWD, share, 0));
    say("remount", mount_(NULL, share, MS_REMOUNT_ | MS_BIND_));
    say("unmount", syscall(SYS_umount2, share, MNT_DETACH_));
    say("bind", mount_(share, "/mnt/bind", MS_BIND_ | MS_REC_));
    say("remount_bind", mount_(NULL, "/mnt/bind", MS_REMOUNT_ | MS_BIND_));
    say("write_bind", write_in("/mnt/bind"));
    const int tree = (int)syscall(428 /* open_tree */, AT_FDCWD, share, 1 | AT_RECURSIVE_ /* OPEN_TREE_CLONE */);
    say("clone", tree);
    say("set_clone", set_writable(tree, "", 0x1000 | AT_RECURSIVE_ /* AT_EMPTY_PATH */));
    say("attach_clone", syscall(429 /* move_mount */, tree, "", AT_FDCWD, "/mnt/clone", 4));
    say("write_clone", write_in("/mnt/clone"));
    if (fork() == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(1);
        say("nested_remount", mount_(NULL, share, MS_REMOUNT_ | MS_BIND_));
        _exit(0);
    }
    wait(NULL);
    say("write", write_in(share));
    return 0;
}
