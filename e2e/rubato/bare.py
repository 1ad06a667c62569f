# SPDX-License-Identifier: Apache-2.0
"""A bare Debian in a directory: what mmdebstrap makes, with no make, sudo, git or compiler, and this machine's kernel.

Its packages come from where this machine's own come from."""

import os
import re
import shutil
import signal
import subprocess
import time

from . import scope
from .daemons import REPO

DEBIAN_12, DEBIAN_13 = "bookworm", "trixie"
TREE = "/srv/rubato"  # where the checkout lies in it
# The shell of a block stays in a mount namespace of its own, and the mounts go with it.  Its root is a mount, as a machine's is.
_ENTER = """
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /sys "$ROOT/sys"
mount --rbind /dev "$ROOT/dev"
[ -z "$LONELY" ] || ip link set lo up
exec chroot "$ROOT" /bin/bash -c 'cd "$0" && exec /bin/bash -e' """ + TREE


class Missing(Exception):
    """Says why there can be none."""


def sources():
    """The files of the checkout that git knows or would take; without git, all but what is built."""
    found = subprocess.run(["git", "-C", REPO, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return [name for name in found.stdout.split("\0") if name and os.path.exists(os.path.join(REPO, name))]
    return [os.path.relpath(os.path.join(at, name), REPO) for at, _, names in os.walk(REPO) for name in names
            if not os.path.relpath(at, REPO).startswith(("build", ".git"))]


def mirrors(suite):
    """The lines of a sources.list for `suite`, from where apt gets this machine's packages."""
    asked = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"],
                           capture_output=True, text=True, check=False).stdout
    found = dict(line.split("|")[1:] for line in asked.splitlines() if line.startswith("Debian|"))
    lines = [f"deb {found['Debian']} {name} main" for name in (suite, f"{suite}-updates") if "Debian" in found]
    return lines + [f"deb {uri} {suite}-security main" for label, uri in found.items() if label == "Debian-Security"]


def _apt_options():
    """How this machine's apt gets at them: proxies, and what it is told to overlook."""
    said = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    wanted = (r'Acquire::(https?::(Proxy|Verify-Peer|CAInfo)|Check-Valid-Until|Check-Date|Retries)\b.* "[^"]+";')
    return [f"--aptopt={line}" for line in said.splitlines() if re.fullmatch(wanted, line)]


class BareDebian:
    def __init__(self, suite=DEBIAN_12, packages=()):
        if os.geteuid() != 0:
            raise Missing("it needs root")
        for tool in ("mmdebstrap", "unshare", "ip"):
            if not shutil.which(tool):
                raise Missing(f"it needs {tool}; try: make deps")
        self.root = scope.temp_dir("rubato-bare-")
        scope.on_exit(self.stop)
        more = [f"--include={','.join(packages)}"] if packages else []
        made = subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", *more, *_apt_options(), suite, self.root, *mirrors(suite)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if made.returncode:
            raise Missing(f"Debian's packages cannot be had: {made.stdout.strip().splitlines()[-1]}")
        os.chmod(self.root, 0o755)
        with open(self.path("/etc/hosts"), "w", encoding="ascii") as hosts:  # that is left to the installer
            hosts.write("127.0.0.1 localhost\n::1 localhost\n")
        for name in sources():
            there = self.path(f"{TREE}/{name}")
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy2(os.path.join(REPO, name), there, follow_symlinks=False)

    def path(self, inside):
        return self.root + inside

    def run(self, script, timeout_s, lonely=False, env=None):
        """Run the text as a person's shell would, in the checkout, each command only if the one before went well.
        `lonely`: without a network but loopback.  Returns (exit status, what it printed)."""
        log = os.path.join(self.root, "root", "log")
        argv = ["unshare", "--mount", *(["--net"] if lonely else []), "sh", "-ec", _ENTER]
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb",
               "ROOT": self.root, "LONELY": "1" if lonely else "", "LC_ALL": "C.UTF-8", **(env or {})}
        with open(log, "w+", encoding="utf-8", errors="replace") as said:
            shell = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=said, stderr=said, env=env, text=True)
            try:
                shell.communicate(script, timeout_s)
            except subprocess.TimeoutExpired:
                print(f"  after {timeout_s} s it still ran", flush=True)
                self.stop()
            said.seek(0)
            return scope.end_process(shell), said.read()

    def processes(self):
        """The pids of all that runs in it."""
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/root").rstrip("/") == self.root:
                    yield int(name)
            except OSError:
                continue

    def stop(self):
        """End what still runs in it."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for pid in list(self.processes()):
                try:
                    os.kill(pid, signum)
                except ProcessLookupError:
                    continue
            end = time.monotonic() + 10
            while list(self.processes()) and time.monotonic() < end:
                time.sleep(0.1)
