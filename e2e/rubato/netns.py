# SPDX-License-Identifier: Apache-2.0
"""Another machine, of which only the network is real: a network namespace at the end of a cable that can be cut.

What is cut says nothing: no reset, no unreachable."""

import ctypes
import os
import shutil
import socket
import subprocess
import threading

from . import scope

_CLONE_NEWNET = 0x40000000
HERE, THERE = "198.18.77.1", "198.18.77.2"  # of the block for benchmarks (RFC 2544)


def _ip(*argv):
    subprocess.run(["ip", *argv], check=True, capture_output=True, text=True)


class Missing(Exception):
    """Says why there can be no other machine."""


class Machine:
    def __init__(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            raise Missing("needs root and ip (Debian package iproute2)")
        self.name = f"rubato-e2e-{os.getpid()}"
        here = f"rub{os.getpid()}"
        scope.on_exit(self.remove)
        try:
            _ip("netns", "add", self.name)
            _ip("link", "add", here, "type", "veth", "peer", "name", "there", "netns", self.name)
            _ip("addr", "add", f"{HERE}/30", "dev", here)
            _ip("link", "set", here, "up")
            _ip("-n", self.name, "link", "set", "there", "up")
            self.join()
        except subprocess.CalledProcessError as error:
            raise Missing(f"network namespaces cannot be made here: {error.stderr.strip()}") from error

    def remove(self):
        """With it goes the cable."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def cut(self):
        """Packets still arrive, and nobody there feels addressed."""
        _ip("-n", self.name, "addr", "del", f"{THERE}/30", "dev", "there")

    def join(self):
        _ip("-n", self.name, "addr", "add", f"{THERE}/30", "dev", "there")

    def listener(self):
        """A listening TCP socket there."""
        made = []

        def make():
            # The namespace is the thread's; a socket keeps the one that it was made in.
            with open(f"/run/netns/{self.name}", "rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) == 0:
                    made.append(socket.create_server((THERE, 0), backlog=64))
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]
