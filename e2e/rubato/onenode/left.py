# SPDX-License-Identifier: Apache-2.0
"""What a cluster must not leave behind: taken before it comes up, compared after it went down."""

import os
import subprocess

from .space import IN_MEMORY, KEPT, kubepods, sysctls


def _mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return {line.split()[4] for line in file}


def _network():
    """Of the machine itself: this process may have joined the cluster's."""
    said = subprocess.run(["nsenter", "--target=1", "--net", "ip", "-brief", "link"], capture_output=True, text=True, check=False).stdout
    return {line.split("@")[0].split()[0] for line in said.splitlines() if line.strip()}


def _programs(home):
    """(pid, name) of what belongs to the cluster below `home`."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if any(home in word or word == "k8s.io" for word in words) and os.getpid() != int(pid):
            found.add((pid, words[0]))
    return found


class Before:
    def __init__(self, home):
        self.home = home
        self._seen = self._look()

    def _look(self):
        return {"mounts": _mounts(), "network interfaces": _network(), "network namespaces": set(_list("/run/netns")),
                "processes": _programs(self.home), "cgroups": set(kubepods()), "sysctls": set(sysctls().items()),
                "directories": {path for path in (*KEPT.values(), *IN_MEMORY) if os.path.isdir(path)}}

    def check(self, checks):
        for what, after in self._look().items():
            changed = after ^ self._seen[what]
            checks.check(f"the cluster leaves the machine's {what} as they were", not changed, str(sorted(changed))[:300] if changed else "")


def _list(path):
    return os.listdir(path) if os.path.isdir(path) else []
