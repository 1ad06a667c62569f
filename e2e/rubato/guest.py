# SPDX-License-Identifier: Apache-2.0
"""Another kernel on this machine: Debian's package, an initramfs made of files of ours, qemu without KVM.

What is downloaded is kept in ${XDG_CACHE_HOME:-~/.cache}/rubato-e2e/kernels.
"""

import glob
import os
import re
import shutil
import stat
import subprocess
import tarfile

from .bare import mirrors

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "rubato-e2e", "kernels")
QEMU = "qemu-system-x86_64"
EVENT_LOOP = "libwebsockets-evlib_uv.so"  # opened at run time: no ldd shows it


def _output(*argv):
    return subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


class Suite:
    """Another Debian's packages, from where this machine's own come from; apt's lists of it are kept apart.  No root."""

    def __init__(self, name):
        home = os.path.join(CACHE, f"apt-{name}")
        for directory in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(home, directory), exist_ok=True)
        with open(os.path.join(home, "sources.list"), "w", encoding="ascii") as file:
            file.write("\n".join(mirrors(name)) + "\n")
        places = {"State::Lists": "lists", "Cache": "cache", "Etc::SourceList": "sources.list", "Etc::SourceParts": "none"}
        self.options = [word for key, place in places.items() for word in ("-o", f"Dir::{key}={home}/{place}")]
        self.options += ["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true"]

    def update(self):
        subprocess.run(["apt-get", "update", "-q", *self.options], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self


def newest(pattern, suite=None):
    """The Debian package of the highest number whose name matches, by the package lists or by the cache; or None."""
    options = suite.update().options if suite else []
    names = _output("apt-cache", *options, "search", "--names-only", f"^{pattern}$").split()
    names += [os.path.basename(path) for path in glob.glob(os.path.join(CACHE, "*"))]
    names = [name for name in names if re.fullmatch(pattern, name)]
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)], default=None)


def unpacked(package, suite=None):
    """The directory with the files of a Debian package (not installed), or None where it cannot be had."""
    home = os.path.join(CACHE, package)
    if os.path.isdir(home):
        return home
    aside = f"{home}.{os.getpid()}"
    os.makedirs(aside)
    try:
        print(f"downloading {package}, once", flush=True)
        subprocess.run(["apt-get", *(suite.options if suite else []), "download", "-q", package], cwd=aside, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        debs = glob.glob(os.path.join(aside, "*.deb"))
        if not debs:
            return None
        subprocess.run(["dpkg", "-x", debs[0], os.path.join(aside, "root")], check=True)
        os.rename(os.path.join(aside, "root"), home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return home


def libraries(*programs):
    """Every shared object the programs need."""
    loop = glob.glob(f"/usr/lib/*/{EVENT_LOOP}")
    found = set(loop)
    for program in [*programs, *loop]:
        found |= set(re.findall(r"(/\S+) \(0x", _output("ldd", program)))
    return sorted(found)


class Initramfs:
    """A cpio archive (newc), written file by file; missing directories are made."""

    def __init__(self, path):
        self._file = open(path, "wb")
        self._nr = 0
        self._dirs = {""}

    def _entry(self, name, mode, data=b""):
        self._nr += 1
        encoded = name.encode() + b"\0"
        fields = [self._nr, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def add(self, source, target):
        """The contents of a file of ours, at `target` there."""
        with open(source, "rb") as file:
            self.add_bytes(file.read(), target, os.stat(source).st_mode & 0o777)

    def add_bytes(self, data, target, mode=0o644):
        name = target.strip("/")
        parents = name.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            directory = "/".join(parents[:depth])
            if directory not in self._dirs:
                self._dirs.add(directory)
                self._entry(directory, stat.S_IFDIR | 0o755)
        self._entry(name, stat.S_IFREG | mode, data)

    def close(self):
        self._entry("TRAILER!!!", 0)
        self._file.close()


def run(kernel, initramfs, home, timeout_s):
    """Boot, wait until the guest powers off, and unpack what it sent into home/out.  Returns "", or what went wrong."""
    sent, console = os.path.join(home, "out.tgz"), os.path.join(home, "console.txt")
    argv = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot", "-serial", f"file:{console}", "-serial", f"file:{sent}",
            "-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=-1"]
    try:
        # subprocess.run() ends the guest when time is over, and when we are interrupted.
        done = subprocess.run(argv, check=False, timeout=timeout_s, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except subprocess.TimeoutExpired:
        return f"it did not power off within {timeout_s} s: {_tail(console)}"
    try:
        with tarfile.open(sent) as archive:
            archive.extractall(os.path.join(home, "out"))
    except (tarfile.TarError, OSError, EOFError) as error:
        return f"it sent nothing to read ({error}): {done.stdout} {_tail(console)}"
    return ""


def _tail(path, nr=5):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return " | ".join(line.strip() for line in file.read().splitlines()[-nr:])
    except OSError:
        return "no console"
