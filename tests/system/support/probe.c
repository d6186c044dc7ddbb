// SPDX-License-Identifier: Apache-2.0
// Tries, inside a container, what a container must not do. Prints one line and exits 0; the test judges.
// Static, so that it runs in any image.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static int say(long result) {
    puts(result < 0 ? strerrorname_np(errno) : "allowed");
    return 0;
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const char* what = argv[1];
    const long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

    if (strcmp(what, "syscall") == 0) return say(syscall(number, 0, 0, 0, 0, 0, 0));
    if (strcmp(what, "io_uring") == 0) {
        char parameters[512] = {0};  // larger than struct io_uring_params
        return say(syscall(SYS_io_uring_setup, 1, parameters));
    }
    if (strcmp(what, "mknod") == 0) return say(mknod(argv[2], S_IFCHR | 0666, makedev(1, 11)));
    if (strcmp(what, "open") == 0) return say(open(argv[2], O_RDONLY | O_NONBLOCK));
    if (strcmp(what, "eat") == 0) {  // megabytes
        for (long i = 0; i < number; ++i) memset(malloc(1 << 20), 1, 1 << 20);
        return say(0);
    }
    if (strcmp(what, "spin") == 0) {  // wall seconds; prints the milliseconds of CPU time it got
        for (const double end = now(CLOCK_MONOTONIC) + (double)number; now(CLOCK_MONOTONIC) < end;) continue;
        printf("%.0f\n", now(CLOCK_PROCESS_CPUTIME_ID) * 1000);
        return 0;
    }
    if (strcmp(what, "fork") == 0) {  // at most so many; prints how many there came to be
        static pid_t children[65536];
        long count = 0;
        for (; count < number && count < 65536; ++count) {
            children[count] = fork();
            if (children[count] < 0) break;
            if (children[count] == 0) return pause();
        }
        printf("%ld %s\n", count, count < number ? strerrorname_np(errno) : "all");
        while (count > 0) kill(children[--count], SIGKILL);
        return 0;
    }
    return 2;
}
