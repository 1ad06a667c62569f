# SPDX-License-Identifier: Apache-2.0
"""The agent's BPF maps and programs, read past the agent: what the kernel has sampled so far, whatever a daemon says.

Layouts are those of bpf/sampler.h (struct prof_key, struct prof_count).
"""

import contextlib
import ctypes
import errno
import os
import re
import struct
import threading
import time
from collections import namedtuple

from .kernel import SYSCALL

_GET_FD_BY_ID, _LOOKUP_BATCH, _ENABLE_STATS = 14, 24, 32
_KEY, _VALUE = struct.Struct("=QQQQIIIHH"), struct.Struct("=QQ")
_BATCH = 4096

Row = namedtuple("Row", "cgroup rate_hz cpu_ns samples")
Growth = namedtuple("Growth", "time_ns cgroup rate_hz samples cpu_ns")


def _bpf(command, attr):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(SYSCALL["bpf"], command, attr, len(attr))
    return result if result >= 0 else -ctypes.get_errno()


def fdinfo(pid):
    """The fdinfo of each open file of a process, as dicts."""
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                yield dict(re.findall(r"^(\w+):\s*(\S+)", file.read(), re.M))
        except OSError:
            continue


def map_bytes(pid):
    """What the kernel accounts for the BPF maps that the process holds."""
    maps = {info["map_id"]: int(info.get("memlock", 0)) for info in fdinfo(pid) if "map_id" in info}
    return sum(maps.values())


@contextlib.contextmanager
def bpf_run_time_counted():
    """The kernel counts the run time of BPF programs while this is open."""
    fd = _bpf(_ENABLE_STATS, ctypes.create_string_buffer(struct.pack("=I", 0), 4))
    try:
        yield
    finally:
        if fd >= 0:
            os.close(fd)


def bpf_run_seconds(pid):
    """Run time so far of the BPF programs that the process holds."""
    programs = {i["prog_id"]: int(i["run_time_ns"]) for i in fdinfo(pid) if "run_time_ns" in i}
    return sum(programs.values()) / 1e9


class SampleRows:
    """The rows of samples of the window that runs (and of the one that is being read out)."""

    def __init__(self, agent_pid):
        ids = {int(info["map_id"]) for info in fdinfo(agent_pid)
               if info.get("key_size") == str(_KEY.size) and info.get("value_size") == str(_VALUE.size)}
        self._fds = [_bpf(_GET_FD_BY_ID, ctypes.create_string_buffer(struct.pack("=III", i, 0, 0), 12)) for i in ids]
        self._keys = ctypes.create_string_buffer(_BATCH * _KEY.size)
        self._values = ctypes.create_string_buffer(_BATCH * _VALUE.size)
        if not self._fds or min(self._fds) < 0:
            raise RuntimeError("the agent's maps cannot be opened")

    def close(self):
        for fd in self._fds:
            os.close(fd)

    def read(self):
        return [row for fd in self._fds for row in self._read_one(fd)]

    def _read_one(self, fd):
        batch = ctypes.create_string_buffer(8)
        attr = ctypes.create_string_buffer(struct.pack(
            "=QQQQIIQQ", 0, ctypes.addressof(batch), ctypes.addressof(self._keys), ctypes.addressof(self._values),
            _BATCH, fd, 0, 0), 56)
        result = _bpf(_LOOKUP_BATCH, attr)
        if result not in (0, -errno.ENOENT):
            raise OSError(-result, os.strerror(-result))
        count = struct.unpack_from("=I", attr, 32)[0]
        for i in range(count):
            key = _KEY.unpack_from(self._keys, i * _KEY.size)
            cpu_ns, samples = _VALUE.unpack_from(self._values, i * _VALUE.size)
            yield Row(key[0], key[5], cpu_ns, samples)

    def wait_for_first(self, cgroup, rate_hz, timeout_s=5):
        """CLOCK_REALTIME ns at which a sample of that cgroup at that rate was seen, or None.

        Late by at most the pause between two looks, about 2 ms."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if any(row.cgroup == cgroup and row.rate_hz == rate_hz for row in self.read()):
                return time.time_ns()
            time.sleep(0.001)
        return None


class RateLog:
    """When each cgroup was sampled at which rate, from rows that grow; a thread of its own looks on."""

    EACH_S = 0.02

    def __init__(self, rows):
        self._rows, self._last = rows, {}
        self._seen = []  # Growth, since the look before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        """Its log stays."""
        self._over.set()
        self._thread.join()
        self._rows.close()

    def _run(self):
        while not self._over.wait(self.EACH_S):
            self._look()

    def _look(self):
        now, time_ns = {}, time.time_ns()
        for row in self._rows.read():
            samples, cpu_ns = now.get((row.cgroup, row.rate_hz), (0, 0))
            now[row.cgroup, row.rate_hz] = samples + row.samples, cpu_ns + row.cpu_ns
        for key, (samples, cpu_ns) in now.items():
            before, cpu_before_ns = self._last.get(key, (0, 0))
            if samples < before:  # a window was read out in between
                before = cpu_before_ns = 0
            if samples > before:
                self._seen.append(Growth(time_ns, *key, samples - before, cpu_ns - cpu_before_ns))
        self._last = now

    def of(self, cgroup, since_ns=0):
        return [growth for growth in list(self._seen) if growth.cgroup == cgroup and growth.time_ns >= since_ns]

    def rates(self, cgroup, since_ns=0):
        return sorted({growth.rate_hz for growth in self.of(cgroup, since_ns)})

    def last_at(self, cgroup, rate_hz):
        """CLOCK_REALTIME ns, 0 = never."""
        return max((growth.time_ns for growth in self.of(cgroup) if growth.rate_hz == rate_hz), default=0)

    def samples_per_cpu_second(self, cgroup, since_ns):
        grown = self.of(cgroup, since_ns)
        return 1e9 * sum(growth.samples for growth in grown) / max(1, sum(growth.cpu_ns for growth in grown))


class Meter:
    """Samples taken and their CPU time by cgroup, added up over windows: feed it a few times a second."""

    def __init__(self, rows):
        self._rows, self._past, self._last, self._history = rows, {}, {}, []

    def look(self, keep_s=3):
        now = {}
        for row in self._rows.read():
            samples, cpu_ns = now.get(row.cgroup, (0, 0))
            now[row.cgroup] = samples + row.samples, cpu_ns + row.cpu_ns
        for cgroup, (samples, cpu_ns) in self._last.items():
            if now.get(cgroup, (0, 0))[0] < samples:  # a window ended in between
                past = self._past.get(cgroup, (0, 0))
                self._past[cgroup] = past[0] + samples, past[1] + cpu_ns
        self._last = now
        totals = {c: tuple(map(sum, zip(self._past.get(c, (0, 0)), now.get(c, (0, 0))))) for c in {*self._past, *now}}
        self._history.append((time.monotonic(), totals))
        while self._history[0][0] < time.monotonic() - keep_s:
            self._history.pop(0)

    def samples_per_cpu_second(self, cgroup):
        """Over the last few seconds."""
        first, last = (self._history[i][1].get(cgroup, (0, 0)) for i in (0, -1))
        cpu_ns = last[1] - first[1]
        return 1e9 * (last[0] - first[0]) / cpu_ns if cpu_ns > 0 else 0
