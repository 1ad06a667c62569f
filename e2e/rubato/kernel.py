# SPDX-License-Identifier: Apache-2.0
"""Can this machine run an eBPF profiler, and if not, what is missing and how to get it?"""

import ctypes
import os
import struct
import sys

from . import cgroups
from .daemons import BUILD

SYSCALL = {
    "x86_64": {"bpf": 321, "perf_event_open": 298},
    "aarch64": {"bpf": 280, "perf_event_open": 241},
}.get(os.uname().machine, {})
_BPF_MAP_CREATE, _BPF_MAP_TYPE_ARRAY = 0, 2
_PERF_TYPE_SOFTWARE, _PERF_COUNT_SW_CPU_CLOCK = 1, 0


def _syscall(name, *args):
    """A new file descriptor (closed again): 0, or the errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    if name not in SYSCALL:
        return 0  # not known here: the agent will tell
    fd = libc.syscall(SYSCALL[name], *args)
    if fd < 0:
        return ctypes.get_errno()
    os.close(fd)
    return 0


def _bpf_errno():
    attr = ctypes.create_string_buffer(struct.pack("=IIII", _BPF_MAP_TYPE_ARRAY, 4, 4, 1), 64)
    return _syscall("bpf", _BPF_MAP_CREATE, attr, 64)


def _perf_errno():
    attr = ctypes.create_string_buffer(
        struct.pack("=IIQQ", _PERF_TYPE_SOFTWARE, 112, _PERF_COUNT_SW_CPU_CLOCK, 10_000_000), 112)
    return _syscall("perf_event_open", attr, -1, 0, -1, ctypes.c_ulong(0))


def missing_daemons():
    """A sentence, or "" when both can be started."""
    if sys.platform != "linux":
        return "it needs Linux"
    for name in ("rubato-controller", "rubato-agent"):
        if not os.access(os.path.join(BUILD, name), os.X_OK):
            return f"{BUILD}/{name} is not built; try: make"
    return ""


def missing():
    """A sentence, or "" when nothing is."""
    if why_not := missing_daemons():
        return why_not
    if os.geteuid() != 0:
        return "loading BPF programs and making cgroups needs root; try it with sudo"
    if not cgroups.v2_root():
        return "no cgroup2 is mounted; try: mkdir -p /sys/fs/cgroup/unified; mount -t cgroup2 none /sys/fs/cgroup/unified"
    if not os.access(os.path.join(cgroups.v2_root(), "cgroup.procs"), os.W_OK):
        return "cgroups cannot be made here (read-only mount); in a container, run it privileged"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF (/sys/kernel/btf/vmlinux); use one built with CONFIG_DEBUG_INFO_BTF=y"
    if error := _bpf_errno():
        return f"bpf() is refused ({os.strerror(error)}); in a container, give it CAP_BPF and CAP_PERFMON, or run it privileged"
    if error := _perf_errno():
        return f"perf_event_open() is refused ({os.strerror(error)}); give it CAP_PERFMON, and in a container a seccomp profile that allows it"
    return ""
