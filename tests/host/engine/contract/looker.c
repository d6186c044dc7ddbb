// SPDX-License-Identifier: Apache-2.0
// Looks, from inside a container, at what the contract's cases want to know: reads one question
// from its descriptor 3, answers there with '=' and what it found, or '!' and the name of an error;
// and keeps what it has until nobody listens any more.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { connection = 3, text_max = 4096, mib = 1 << 20 };

static int held = -1;
static char answer[text_max + 1] = "=";

static void found(const char* text) {
    snprintf(answer, sizeof answer, "=%s", text);
}
static void found_number(long number) {
    snprintf(answer, sizeof answer, "=%ld", number);
}
static void failed(void) {
    snprintf(answer, sizeof answer, "!%s", strerrorname_np(errno));
}

static void open_it(const char* path, int flags) {
    held = open(path, flags | O_CLOEXEC, 0666);
    if (held < 0) failed();
}

// Files of /proc/PID have a zero after each word.
static void read_it(const char* path) {
    open_it(path, O_RDONLY);
    if (held < 0) return;
    const ssize_t length = read(held, answer + 1, text_max);
    if (length < 0) return failed();
    for (ssize_t at = 1; at <= length; ++at)
        if (answer[at] == '\0') answer[at] = '\n';
    answer[length + 1] = '\0';
}

static void fork_them(long wanted) {
    long made = 0;
    for (; made < wanted; ++made) {
        const pid_t child = fork();
        if (child < 0) break;
        if (child == 0) {
            pause();
            _exit(0);
        }
    }
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);  // this session's: all of them
    while (wait(NULL) > 0) {
    }
    found_number(made);
}

static void eat(long count) {
    char* memory = malloc((size_t)count * mib);
    if (memory == NULL) return failed();
    for (long at = 0; at < count * mib; at += 4096) ((volatile char*)memory)[at] = 1;
}

static long ms_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void burn(long ms) {
    const long end = ms_of(CLOCK_MONOTONIC) + ms;
    while (ms_of(CLOCK_MONOTONIC) < end) {
    }
    found_number(ms_of(CLOCK_PROCESS_CPUTIME_ID));
}

static void fill(const char* path, long count) {
    static char block[mib];
    memset(block, 'x', sizeof block);
    open_it(path, O_WRONLY | O_CREAT | O_TRUNC);
    // What is left of a block when the disk is full may be taken in part; the next write says why.
    for (long left = count * mib; held >= 0 && left > 0;) {
        const ssize_t taken = write(held, block, sizeof block);
        if (taken <= 0) return failed();
        left -= taken;
    }
    if (held >= 0 && fsync(held) != 0) failed();
}

int main(void) {
    char question[text_max + 1] = "", what[32] = "", path[text_max] = "";
    long number = 0;
    if (read(connection, question, text_max) <= 0) return 1;
    setsid();
    if (sscanf(question, "%31s %4095s %ld", what, path, &number) < 1) return 1;
    if (number == 0) number = atol(path);
    if (strcmp(what, "read") == 0) read_it(path);
    if (strcmp(what, "write") == 0) open_it(path, O_WRONLY | O_CREAT);
    if (strcmp(what, "open") == 0) open_it(path, O_RDWR);
    if (strcmp(what, "fork") == 0) fork_them(number);
    if (strcmp(what, "eat") == 0) eat(number);
    if (strcmp(what, "burn") == 0) burn(number);
    if (strcmp(what, "fill") == 0) fill(path, number);
    if (strcmp(what, "no-new-privileges") == 0)
        found_number(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    if (strcmp(what, "tell-init") == 0 && kill(1, SIGRTMIN + (int)number) != 0) failed();
    if (strcmp(what, "hostname") == 0) {
        char name[256] = "";
        gethostname(name, sizeof name - 1);
        found(name);
    }
    if (write(connection, answer, strlen(answer)) < 0) return 1;
    while (read(connection, question, text_max) > 0) {
    }
    close(held);  // before the connection, by whose end others know that all is let go
    return 0;
}
