# SPDX-License-Identifier: Apache-2.0
"""The base image with a small init in place of systemd: a static program that reaps, and ends when it is told."""
import os
import shutil
import subprocess

INIT = r"""
#include <signal.h>
#include <sys/wait.h>
int main(void) {
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    sigaddset(&awaited, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &awaited, 0);
    for (;;) {
        if (sigwaitinfo(&awaited, 0) == SIGRTMIN + 3) return 0;
        while (waitpid(-1, 0, WNOHANG) > 0) {}
    }
}
"""


def make_small_image(images, directory):
    """A directory of images, in which the base image's name leads to a copy that has this init."""
    shutil.copytree(images / "names", directory / "names", symlinks=True)
    digest = os.path.basename(os.readlink(images / "names/debian-12"))
    subprocess.run(["cp", "-a", images / digest, directory / digest], check=True)
    source, init = directory / "init.c", directory / digest / "rootfs/usr/sbin/init"
    source.write_text(INIT)
    init.unlink()
    subprocess.run(["gcc", "-O2", "-static", "-o", init, source], check=True)
