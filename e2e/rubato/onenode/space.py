# SPDX-License-Identifier: Apache-2.0
"""A network namespace and a mount namespace, held by one process, and what was started in them.

In them the programs of a node find their usual directories, which really lie below `home`; the sysctls that a kubelet insists on
have the values that it wants, which are files of ours."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

from .. import cgroups
from ..daemons import wait_until

ADDRESS = "10.99.0.1"
_CLONE_NEWNET = 0x40000000
# Directories of the node, by what they are called below `home`.
KEPT = {"kubelet": "/var/lib/kubelet", "containerd": "/var/lib/containerd", "cni": "/var/lib/cni", "cni-conf": "/etc/cni/net.d",
        "pod-logs": "/var/log/pods", "container-logs": "/var/log/containers", "rubato": "/var/lib/rubato"}
IN_MEMORY = ("/run/containerd", "/run/netns", "/usr/libexec/kubernetes")
# What a kubelet writes where it does not find it (kuberuntime's kernel tunables).
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
           "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
# No loopback: a kubelet takes no loopback address for its node's.
_NETWORK = f"""
ip link set lo up
ip link add node0 type veth peer name node1
ip addr add {ADDRESS}/24 dev node0
ip link set node0 up
ip link set node1 up
ip route add default via {ADDRESS} dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


class Missing(Exception):
    """Says why there can be no cluster here."""


def sysctls():
    """What the machine has, by name."""
    values = {}
    for name in SYSCTLS:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            values[name] = file.read().strip()
    return values


def _started(pid):
    """When a process that lives began, in ticks since boot, or None: a pid alone may be another's by now."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return fields[19] if fields[0] != "Z" else None
    except (OSError, IndexError):
        return None


def _pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def _end(pids, grace_s):
    """SIGTERM, then SIGKILL."""
    for signum, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10)):
        alive = [pid for pid in pids() if _started(pid)]
        for pid in alive:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                continue
        if not alive or wait_until(lambda: not pids(), wait_s, 0.1):
            return


class Space:
    """What is on disk below `home` is enough to end it: also by another process than the one that made it."""

    def __init__(self, home):
        self.home, self._children = home, []

    def path(self, *names):
        return os.path.join(self.home, *names)

    # Making it.
    def make(self):
        if os.geteuid() != 0:
            raise Missing("it needs root")
        for tool in ("ip", "unshare", "nsenter", "iptables"):
            if not shutil.which(tool):
                raise Missing(f"it needs {tool}; try: make deps")
        for name in ("pids", "logs", "sysctls"):
            os.makedirs(self.path(name), exist_ok=True)
        self._make_mount_points()
        script = "set -e\n" + self._mounts() + _NETWORK + f"touch {self.path('ready')}\nexec sleep infinity\n"
        anchor = self.spawn("anchor", ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script], inside=False)
        wait_until(lambda: os.path.exists(self.path("ready")) or anchor.poll() is not None, 20)
        if not os.path.exists(self.path("ready")):
            raise Missing(f"namespaces cannot be made here: {self.log('anchor').strip()}")

    def _make_mount_points(self):
        """Directories that the machine lacks; they go at the end."""
        made = []
        for path in (*KEPT.values(), *IN_MEMORY):
            missing = []
            while not os.path.isdir(path):
                missing.append(path)
                path = os.path.dirname(path)
            for directory in reversed(missing):
                os.mkdir(directory)
                made.append(directory)
        with open(self.path("made.json"), "w", encoding="ascii") as file:
            json.dump(made, file)

    def _mounts(self):
        lines = []
        for name, path in KEPT.items():
            os.makedirs(self.path(name), exist_ok=True)
            lines.append(f"mount --bind {self.path(name)} {path}")
        lines += [f"mount -t tmpfs tmpfs {path}" for path in IN_MEMORY]
        # kubelet's volumes have to reach what containerd mounts.
        lines += [f"mount --make-shared {path}" for path in KEPT.values()]
        for name, value in SYSCTLS.items():
            mine = self.path("sysctls", name.replace("/", "."))
            with open(mine, "w", encoding="ascii") as file:
                file.write(f"{value}\n")
            lines.append(f"mount --bind {mine} /proc/sys/{name}")
        return "\n".join(lines)

    # Being in it.
    def anchor(self):
        """The pid of the process that holds the namespaces, or None."""
        return self._pid_of("anchor")

    def inside(self):
        """What to put before a command."""
        return ["nsenter", f"--target={self.anchor()}", "--net", "--mount", "--"]

    def join_network(self):
        """This process, and what it starts, is in the network from now on."""
        with open(f"/proc/{self.anchor()}/ns/net", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                raise Missing(f"setns: {os.strerror(ctypes.get_errno())}")

    def spawn(self, name, argv, inside=True, env=None):
        """A process that outlives us, with a pid file and a log."""
        with open(self.path("logs", f"{name}.log"), "ab") as log:
            process = subprocess.Popen((self.inside() if inside else []) + argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, env=os.environ | (env or {}))
        with open(self.path("pids", name), "w", encoding="ascii") as file:
            json.dump([process.pid, _started(process.pid)], file)
        self._children.append(process)
        return process

    def run(self, *argv, stdin=None, check=True):
        """A command in it; what it printed.  Raises RuntimeError with what it said."""
        done = subprocess.run(self.inside() + list(argv), input=stdin, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(argv[:4])}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def log(self, name):
        try:
            with open(self.path("logs", f"{name}.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def last_lines(self, name, nr=3):
        return " | ".join(self.log(name).strip().splitlines()[-nr:])

    # Ending it.
    def _pid_of(self, name):
        try:
            with open(self.path("pids", name), encoding="ascii") as file:
                pid, started = json.load(file)
        except (OSError, ValueError):
            return None
        return pid if started and _started(pid) == started else None

    def stop(self, name, grace_s=10):
        """SIGTERM to what spawn() started, SIGKILL later."""
        _end(lambda: [pid for pid in [self._pid_of(name)] if pid], grace_s)

    def in_pods(self):
        """The pids of containers, by the cgroups that only our kubelet makes."""
        found = []
        for pid in _pids():
            try:
                with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                    if any(line.split(":", 2)[2].startswith("/kubepods") for line in file):
                        found.append(pid)
            except OSError:
                continue
        return found

    def own(self):
        """The pids of all that runs in the mount namespace, but for who holds it: kubelet, containerd, shims, ..."""
        anchor = self.anchor()
        namespace = anchor and _link(f"/proc/{anchor}/ns/mnt")
        return [pid for pid in _pids() if namespace and pid != anchor and _link(f"/proc/{pid}/ns/mnt") == namespace]

    def end(self):
        """Whatever state it is in.  What cannot be undone now is undone by the next call."""
        if self.anchor():
            self.stop("kubelet")  # it would start again what we end
            _end(self.in_pods, 5)
            _end(self.own, 5)
            self.stop("anchor", 0)
        for child in self._children:
            child.poll()
        self._remove_cgroups()
        for directory in reversed(self._made()):
            try:
                os.rmdir(directory)
            except OSError:
                continue

    def _made(self):
        try:
            with open(self.path("made.json"), encoding="ascii") as file:
                return json.load(file)
        except (OSError, ValueError):
            return []

    @staticmethod
    def _remove_cgroups():
        for top in kubepods():
            for path, _, _ in os.walk(top, topdown=False):
                for _ in range(20):
                    try:
                        os.rmdir(path)
                        break
                    except OSError:
                        time.sleep(0.05)


def kubepods():
    """The kubelet's cgroups in every hierarchy that is mounted."""
    return [path for root in cgroups.roots() if os.path.isdir(path := os.path.join(root, "kubepods"))]
