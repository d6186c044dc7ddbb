# SPDX-License-Identifier: Apache-2.0
"""What the attempts need of the kernel: system calls by number, and verdicts as words."""
import ctypes
import errno
import mmap
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

# x86-64 system calls that Python has no name for.
CALLS = {"pivot_root": 155, "_sysctl": 156, "adjtimex": 159, "acct": 163, "settimeofday": 164, "swapon": 167,
         "swapoff": 168, "reboot": 169, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
         "quotactl": 179, "lookup_dcookie": 212, "clock_settime": 227, "kexec_load": 246, "add_key": 248,
         "request_key": 249, "keyctl": 250, "vmsplice": 278, "perf_event_open": 298, "fanotify_init": 300,
         "name_to_handle_at": 303, "open_by_handle_at": 304, "syslog": 103, "finit_module": 313,
         "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "process_vm_readv": 310, "io_uring_setup": 425,
         "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430,
         "fsconfig": 431, "fsmount": 432, "pidfd_open": 434, "pidfd_getfd": 438, "mount_setattr": 442,
         "quotactl_fd": 443, "setns": 308, "unshare": 272, "mount": 165, "umount2": 166, "ptrace": 101,
         "mknod": 133, "inotify_init1": 294, "eventfd2": 290, "mq_open": 240, "mq_unlink": 241, "shmget": 29,
         "shmctl": 31, "semget": 64, "semctl": 66, "process_vm_writev": 311}
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2


class Verdict(Exception):
    """What came of an attempt, where it is no errno."""


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(name, *arguments):
    def plain(value):
        if isinstance(value, str):
            return value.encode()
        return ctypes.c_long(value) if isinstance(value, int) else value
    ctypes.set_errno(0)
    return check(libc.syscall(ctypes.c_long(CALLS[name]), *map(plain, arguments)))


def mount(source, target, kind, flags=0, data=None):
    call("mount", source, target, kind, flags, data)


def in_child(work):
    """Does it in a process of its own, so that what it changes about itself ends with it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.write(writer, judge(work).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        verdict = answer.read()
    os.waitpid(pid, 0)
    if verdict == "allowed":
        return
    if verdict in errno.errorcode.values():
        number = getattr(errno, verdict)
        raise OSError(number, os.strerror(number))
    raise Verdict(verdict or "killed")


def judge(work):
    """One word: allowed, an errno's name, or what the attempt itself says."""
    try:
        work()
        return "allowed"
    except Verdict as verdict:
        return str(verdict)
    except TimeoutError:
        return "ETIMEDOUT"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Exception as error:  # the suite goes on, and the test fails on this word
        return f"{type(error).__name__}: {error}"


def become_root_of_own_namespace(more=0):
    uid, gid = os.getuid(), os.getgid()
    call("unshare", CLONE_NEWUSER | more)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def call_32bit(number, *arguments):
    """A system call by the 32-bit gate, which has numbers of its own."""
    MAP_32BIT = 0x40
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT,
                     prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    values = [*arguments, 0, 0, 0][:3]
    # push rbx; mov eax/ebx/ecx/edx, …; int 0x80; pop rbx; ret
    code = b"\x53" + b"".join(opcode + struct.pack("<I", value & 0xffffffff) for opcode, value in zip(
        (b"\xb8", b"\xbb", b"\xb9", b"\xba"), (number, *values))) + b"\xcd\x80\x5b\xc3"
    page[0:len(code)] = code
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def low_memory(data):
    """Bytes at an address that a 32-bit call can name; the mapping must be kept."""
    MAP_32BIT = 0x40
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT)
    page[0:len(data)] = data
    return page, ctypes.addressof(ctypes.c_char.from_buffer(page))
