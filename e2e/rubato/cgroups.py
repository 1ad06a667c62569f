# SPDX-License-Identifier: Apache-2.0
"""Cgroups as a kubelet would make them, below a directory of our own, on pure v2 and on hybrid machines.

Everything lives under /rubato-e2e-PID, so that a later run can tell (and remove) what a killed one left.
"""

import os
import re
import signal
import subprocess
import time
import uuid

from . import scope, steal

PREFIX = "rubato-e2e-"
PERIOD_US = 100_000
_PID = os.getpid()  # in a child between fork and exec it is still the run's


def _mounts():
    """(file system, options, mount point) of the cgroup mounts."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            kind, _, options = right.split(" ", 2)
            if kind in ("cgroup", "cgroup2"):
                yield kind, options.strip().split(","), left.split()[4]


def v2_root():
    """Where cgroup2 is mounted, or None."""
    return next((point for kind, _, point in _mounts() if kind == "cgroup2"), None)


def roots():
    """Where every hierarchy is mounted."""
    return [point for _, _, point in _mounts()]


def usable():
    """Can cgroups be made here?"""
    return v2_root() is not None and os.access(os.path.join(v2_root(), "cgroup.procs"), os.W_OK)


def _v1_cpu_root():
    return next((point for kind, opts, point in _mounts() if kind == "cgroup" and "cpu" in opts), None)


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def _remove_tree(top):
    """Kill what runs in the tree and remove its directories, leaves first."""
    for path, _, _ in os.walk(top, topdown=False):
        for _ in range(50):
            for pid in _read(os.path.join(path, "cgroup.procs")).split():
                os.kill(int(pid), signal.SIGKILL)
            try:
                os.rmdir(path)
                break
            except OSError:
                time.sleep(0.02)


def sweep():
    """Remove what earlier runs left whose process is gone."""
    for root in filter(None, (v2_root(), _v1_cpu_root())):
        for name in os.listdir(root):
            owner = re.fullmatch(PREFIX + r"(\d+)", name)
            if owner and not os.path.exists(f"/proc/{owner[1]}"):
                _remove_tree(os.path.join(root, name))


class Cgroup:
    """One container's directory, in cgroup2 and, where quotas are v1's, in the cpu hierarchy too."""

    def __init__(self, path):
        self.path = path
        self.dir = v2_root() + path
        cpu = _v1_cpu_root()
        self.quota_dir = cpu + path if cpu else None
        for directory in filter(None, (self.dir, self.quota_dir)):
            os.makedirs(directory)
        self.processes = []
        self.before = steal.reading()

    def set_quota(self, cpus):
        """Returns whether the kernel offers quotas here."""
        quota = str(int(cpus * PERIOD_US))
        try:
            if self.quota_dir:
                _write(f"{self.quota_dir}/cpu.cfs_period_us", str(PERIOD_US))
                _write(f"{self.quota_dir}/cpu.cfs_quota_us", quota)
            else:
                self._delegate_cpu()
                _write(f"{self.dir}/cpu.max", f"{quota} {PERIOD_US}")
            return True
        except OSError:
            return False

    def _delegate_cpu(self):
        above = v2_root()
        for part in [""] + self.path.strip("/").split("/")[:-1]:
            above = os.path.join(above, part)
            _write(f"{above}/cgroup.subtree_control", "+cpu")

    def enter(self):
        """Move the calling process in."""
        for directory in filter(None, (self.dir, self.quota_dir)):
            _write(f"{directory}/cgroup.procs", "0")

    def run(self, *argv, **options):
        """Start a program inside; it is there before its first instruction."""
        process = subprocess.Popen(argv, preexec_fn=self.enter, stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def stop(self):
        """End what run() started."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            scope.end_process(process)
        self.processes.clear()

    @property
    def id(self):
        """What the kernel calls it: the inode of the directory."""
        return os.stat(self.dir).st_ino

    def cpu_seconds(self):
        """The kernel's own account."""
        return int(re.search(r"^usage_usec (\d+)", _read(f"{self.dir}/cpu.stat"), re.M)[1]) / 1e6

    def stolen_share(self):
        """What was taken from the machine since the cgroup was made, as a share of what it worked."""
        return steal.share_since(self.before)

    def remove(self):
        self.stop()
        for directory in filter(None, (self.dir, self.quota_dir)):
            if os.path.isdir(directory):
                _remove_tree(directory)


def make_root():
    """This run's directory; it goes at the end, with all below it."""
    name = _own_root()
    for root in filter(None, (v2_root(), _v1_cpu_root())):
        os.makedirs(root + name, exist_ok=True)
        scope.on_exit(_remove_tree, root + name)
    return name


def enter_own():
    """Move the calling process into this run's directory, so that sweep() finds it should we be killed.  Where cgroups
    cannot be made, nothing."""
    if not usable():
        return
    directory = f"{v2_root()}{_own_root()}/daemons"
    os.makedirs(directory, exist_ok=True)
    _write(f"{directory}/cgroup.procs", "0")


def _own_root():
    return f"/{PREFIX}{_PID}"


def kubelet_path(root, uid, container_id, qos="burstable"):
    """Where the kubelet's cgroupfs driver puts a container."""
    return f"{root}/kubepods/{qos}/pod{uid}/{container_id}"


def new_uid():
    return str(uuid.uuid4())


def new_container_id():
    return uuid.uuid4().hex + uuid.uuid4().hex
