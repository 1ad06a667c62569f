#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make images: build/images/rubato-{controller,agent}.tar (OCI archives), with a bill of materials and a VEX document each.

Built from this checkout in a fresh Debian 13; packed by buildah, without a daemon, from scratch.  The same checkout and
the same Debian packages give the same digests.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

from bom import Bill, Packages
from rubato import scope
from rubato.bare import DEBIAN_13, BareDebian, Missing, sources
from rubato.daemons import BUILD, REPO

OUT = os.path.join(BUILD, "images")
HERE = os.path.dirname(os.path.abspath(__file__))
TITLES = {"rubato-controller": "decides what every node of a fleet samples, from policies that people apply",
          "rubato-agent": "samples the stacks of every container of its node"}
USERS = {"rubato-controller": "65532:65532", "rubato-agent": "0:0"}
COMPILE_S = 900


def _git(*argv):
    done = subprocess.run(["git", "-C", REPO, *argv], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def version():
    with open(os.path.join(REPO, "Makefile"), encoding="utf-8") as file:
        return re.search(r"^VERSION\s*:= (\S+)", file.read(), re.M)[1]


def epoch():
    """The time that everything in an image bears: of the commit."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or 0)


def build_packages():
    with open(os.path.join(HERE, "packages"), encoding="ascii") as file:
        return file.read().split()


def collect(machine):
    """Lay both images' files out in the machine.  Returns {image: directory}."""
    commands = "".join(f"rm -rf /srv/{name}\nimages/collect.sh build/{name} /srv/{name}\n" for name in TITLES)
    status, said = machine.run(commands, 120, lonely=True, env={"SOURCE_DATE_EPOCH": str(epoch())})
    if status:
        raise RuntimeError(f"images/collect.sh: {said.strip()}")
    return {name: machine.path(f"/srv/{name}") for name in TITLES}


def build():
    """A machine in which both programs are built."""
    print("making a Debian 13 to build in ...", flush=True)
    machine = BareDebian(DEBIAN_13, build_packages())
    began = time.monotonic()
    print("building in it ...", flush=True)
    status, said = machine.run(f"make -j{os.cpu_count()} all\n", COMPILE_S, lonely=True)
    if status:
        raise RuntimeError(f"it does not build there: {' | '.join(said.strip().splitlines()[-5:])}")
    print(f"built in {time.monotonic() - began:.0f} s", flush=True)
    return machine


class Buildah:
    """With a store of its own, which goes at the end."""

    def __init__(self):
        self.home = scope.temp_dir("rubato-buildah-")

    def __call__(self, *argv):
        store = ["--root", os.path.join(self.home, "store"), "--runroot", os.path.join(self.home, "run")]
        done = subprocess.run(["buildah", *store, *argv], capture_output=True, text=True, check=False,
                              env=os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"})
        if done.returncode:
            raise RuntimeError(f"buildah {argv[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def pack(self, name, tree, directory):
        """DIRECTORY/NAME.tar of the files in `tree`.  Returns its digest."""
        labels = {"title": name, "description": TITLES[name], "version": version(), "revision": _git("rev-parse", "HEAD"),
                  "licenses": "Apache-2.0"}
        container = self("from", "scratch")
        self("copy", container, tree, "/")
        self("config", "--user", USERS[name], "--entrypoint", json.dumps([f"/usr/bin/{name}"]), "--cmd", "",
             *(f"--label=org.opencontainers.image.{key}={value}" for key, value in labels.items() if value), container)
        image = f"localhost/{name}:{version()}"
        self("commit", "--rm", "--identity-label=false", "--timestamp", str(epoch()), container, image)
        digest = os.path.join(self.home, "digest")
        archive = os.path.join(directory, f"{name}.tar")
        self("push", "--digestfile", digest, image, f"oci-archive:{archive}:{image}")
        with open(digest, encoding="ascii") as file:
            return file.read().strip()


def pack(machine, directory):
    """Both images of what is built in the machine.  Returns {image: digest}."""
    os.makedirs(directory, exist_ok=True)
    packages, buildah, digests = Packages(machine.root), Buildah(), {}
    for name, tree in collect(machine).items():
        bill = Bill(packages, tree, name, version(), epoch())
        if bill.unknown():
            raise RuntimeError(f"{name} has files of no package: {' '.join(bill.unknown())}")
        digests[name] = buildah.pack(name, tree, directory)
        for kind, document in (("cdx", bill.cyclonedx()), ("vex", bill.openvex())):
            with open(os.path.join(directory, f"{name}.{kind}.json"), "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.write("\n")
        shutil.copytree(tree, os.path.join(directory, name), symlinks=True)
    with open(os.path.join(directory, "digests.json"), "w", encoding="ascii") as file:
        json.dump(digests, file, indent=1)
        file.write("\n")
    return digests


def _stamp():
    """What an image depends on but for Debian's packages."""
    digest = hashlib.sha256(f"{epoch()} {_git('rev-parse', 'HEAD')}".encode())
    for name in sorted(sources()):
        with open(os.path.join(REPO, name), "rb") as file:
            digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()


def _is_built(stamp):
    try:
        with open(os.path.join(OUT, "stamp"), encoding="ascii") as file:
            return file.read() == stamp
    except OSError:
        return False


def _megabytes(path):
    files = [os.path.join(at, name) for at, _, names in os.walk(path) for name in names]
    return sum(os.path.getsize(file) for file in files if not os.path.islink(file)) / 1e6


def main():
    scope.install()
    if not shutil.which("buildah"):
        sys.exit("make images: it needs buildah; try: make deps")
    stamp = _stamp()
    if _is_built(stamp):
        print(f"{OUT} is of this checkout already; make clean, for Debian's newest packages")
        return
    shutil.rmtree(OUT, ignore_errors=True)
    try:
        digests = pack(build(), OUT)
    except (Missing, RuntimeError) as why:
        sys.exit(f"make images: {why}")
    with open(os.path.join(OUT, "stamp"), "w", encoding="ascii") as file:
        file.write(stamp)
    for name, digest in digests.items():
        print(f"{OUT}/{name}.tar  {digest}  {_megabytes(os.path.join(OUT, name)):.1f} MB of files, "
              f"{os.path.getsize(os.path.join(OUT, f'{name}.tar')) / 1e6:.1f} MB packed")


if __name__ == "__main__":
    main()
