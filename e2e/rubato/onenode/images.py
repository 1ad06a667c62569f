# SPDX-License-Identifier: Apache-2.0
"""Images of the cluster's own and of its workloads: from scratch, with the files that are loaded and no others."""

import os
import re
import shutil
import subprocess

from .. import tools
from ..daemons import BUILD, REPO
from .node_config import COREDNS, PAUSE

WORK = "rubato.test/work:1"  # payments, search, burn (C), spin (Go), spin.py with its interpreter
_PAUSE_C = """#include <signal.h>
#include <unistd.h>
static void on_term(int sig) { _exit(sig - sig); }
int main(void) { signal(SIGTERM, on_term); signal(SIGINT, on_term); for (;;) pause(); }
"""
_BUILDAH_ENV = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}


def libraries(*programs):
    """Every shared object that the programs need, by the linker's word."""
    found = set()
    for program in programs:
        text = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
        found |= set(re.findall(r"(/\S+) \(0x", text))
    return found


def _python_files(script):
    """The interpreter, and each file that it opens to run the script's imports."""
    code = ("import signal, sys, encodings.idna\n"
            "print(*{m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)}, sys.executable, sep='\\n')")
    names = subprocess.run(["/usr/bin/python3", "-S", "-c", code], check=True, capture_output=True, text=True).stdout.split()
    return {**{name: name for name in names}, os.path.realpath("/usr/bin/python3"): "/usr/bin/python3", script: "/spin.py"}


def _tree(top, files):
    """Lay {source: target} out below `top`, with the libraries of what is a program."""
    for source in list(files):
        files.update((library, library) for library in libraries(source))
    for source, target in files.items():
        there = top + target
        os.makedirs(os.path.dirname(there), exist_ok=True)
        shutil.copy2(os.path.realpath(source), there)
    return top


class Images:
    """Built by buildah into a store below `home`, loaded into a cluster."""

    def __init__(self, cluster):
        self.cluster, self.home = cluster, cluster.path("images")
        os.makedirs(self.home, exist_ok=True)

    def _buildah(self, *argv):
        store = ["--root", os.path.join(self.home, "store"), "--runroot", os.path.join(self.home, "run")]
        done = subprocess.run(["buildah", *store, *argv], capture_output=True, text=True, check=False,
                              env=os.environ | _BUILDAH_ENV)
        if done.returncode:
            raise RuntimeError(f"buildah {argv[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def make(self, image, tree, entrypoint):
        container = self._buildah("from", "scratch")
        self._buildah("copy", container, tree, "/")
        self._buildah("config", "--entrypoint", entrypoint, container)
        self._buildah("commit", "--rm", container, image)
        archive = os.path.join(self.home, f"{re.sub(r'[^a-z0-9]', '-', image)}.tar")
        self._buildah("push", image, f"docker-archive:{archive}:{image}")
        self.cluster.load_image(archive)
        os.unlink(archive)

    def make_own(self):
        """Those that a cluster needs before anything runs in it, and the workloads'."""
        pause = os.path.join(self.home, "pause.c")
        with open(pause, "w", encoding="ascii") as file:
            file.write(_PAUSE_C)
        subprocess.run(["cc", "-static", "-O2", "-o", pause[:-2], pause], check=True)
        self.make(PAUSE, _tree(os.path.join(self.home, "1"), {pause[:-2]: "/pause"}), '["/pause"]')
        self.make(COREDNS, _tree(os.path.join(self.home, "2"), {tools.find("coredns"): "/coredns"}), '["/coredns"]')
        programs = {os.path.join(BUILD, "e2e", name): f"/{name}" for name in ("payments", "search", "burn")}
        programs[tools.find("spin")] = "/spin"
        programs.update(_python_files(os.path.join(REPO, "e2e", "tools", "spin.py")))
        self.make(WORK, _tree(os.path.join(self.home, "3"), programs), '["/burn"]')
