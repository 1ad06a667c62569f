#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make e2e-images: what `make images` made is looked into, and started: both daemons from their images' files alone.

With --again: it is also built a second time, in a bare Debian 13 that installed by `make deps`, where `make check` passes.
"""

import glob
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import time

import build as images
from bom import contents
from rubato import scope
from rubato.bare import DEBIAN_13, BareDebian, Missing
from rubato.checks import Checks
from rubato.daemons import CONTROLLER_NAME, Daemon, free_port, make_certs, wait_until
from rubato.kernel import missing
from rubato.rig import NODE, policy

CONTROLLER, AGENT = images.TITLES
CHECK_S = 1200
# The shell has a mount namespace of its own, and the mounts go with it.
_ENTER = """
for dir in /proc /sys /dev; do mkdir -p "$0$dir"; mount --rbind $dir "$0$dir"; done
user=$1
shift
exec chroot --userspec="$user" "$0" "$@"
"""


class Archive:
    """An OCI archive of one image of one layer."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            def blob(digest):
                return archive.extractfile(f"blobs/{digest.replace(':', '/')}").read()
            index = json.load(archive.extractfile("index.json"))
            self.manifest = json.loads(blob(index["manifests"][0]["digest"]))
            self.digest = "sha256:" + hashlib.sha256(blob(index["manifests"][0]["digest"])).hexdigest()
            self.config = json.loads(blob(self.manifest["config"]["digest"]))
        self.path = path

    def members(self):
        with tarfile.open(self.path) as archive:
            for layer in self.manifest["layers"]:
                with tarfile.open(fileobj=archive.extractfile(f"blobs/{layer['digest'].replace(':', '/')}")) as files:
                    yield from files.getmembers()


def look_into(checks, name):
    archive = Archive(f"{images.OUT}/{name}.tar")
    config, members = archive.config["config"], list(archive.members())
    with open(f"{images.OUT}/digests.json", encoding="ascii") as file:
        checks.check(f"{name}: the archive has the digest that was said", json.load(file)[name] == archive.digest, archive.digest)
    checks.check(f"{name}: its user is a number", re.fullmatch(r"\d+:\d+", config["User"]), config["User"])
    labels = config.get("Labels") or {}
    wanted = {f"org.opencontainers.image.{key}" for key in ("title", "description", "version", "licenses")}
    checks.check(f"{name}: OCI labels", wanted <= set(labels) and labels["org.opencontainers.image.version"] == images.version())
    files = sorted("/" + m.name.lstrip("./") for m in members if m.isfile())
    checks.check(f"{name}: the layer holds what was collected", files == contents(f"{images.OUT}/{name}"), f"{len(files)} files")
    times = {m.mtime for m in members}
    checks.check(f"{name}: every file bears the commit's time", times == {images.epoch()}, str(times))
    risky = [m.name for m in members if m.mode & 0o6000 or (m.mode & 0o022 and not m.issym()) or m.uid or m.gid]
    checks.check(f"{name}: nothing is setuid, writable for others or owned by anybody but root", not risky, " ".join(risky[:3]))


def look_at_bill(checks, name):
    with open(f"{images.OUT}/{name}.cdx.json", encoding="utf-8") as file:
        bill = json.load(file)
    listed = {p["value"] for c in bill["components"] for p in c.get("properties", ())}
    listed |= {c["name"] for c in bill["components"] if c["type"] == "file"}
    checks.check(f"{name}: the bill of materials has every file, and no other",
                 sorted(listed) == contents(f"{images.OUT}/{name}"), f"{len(bill['components'])} components")
    purls = {c["purl"] for c in bill["components"] if "purl" in c}
    with open(f"{images.OUT}/{name}.vex.json", encoding="utf-8") as file:
        statements = json.load(file)["statements"]
    told = {sub["@id"] for s in statements for product in s["products"] for sub in product["subcomponents"]}
    status = {s["vulnerability"]["name"]: s["status"] for s in statements}
    checks.check(f"{name}: the VEX document speaks of packages of the bill", told <= purls and len(status) == len(statements),
                 f"{len(status)} CVEs")
    # Debian 12's libwebsockets has it; that is why the images are of 13.
    checks.check(f"{name}: CVE-2025-11677 of libwebsockets is fixed", status.get("CVE-2025-11677") == "fixed")


def image_daemon(home, name, *options):
    """A daemon whose root is a copy of its image's files."""
    root = os.path.join(home, name)
    shutil.copytree(f"{images.OUT}/{name}", root, symlinks=True)
    for directory in ("manifests", "status", "state", "profiles"):
        os.mkdir(os.path.join(root, directory))
        os.chmod(os.path.join(root, directory), 0o777)
    shutil.copytree(os.path.join(home, "certs"), os.path.join(root, "certs"))
    for file in (os.path.join(root, "certs"), *glob.glob(os.path.join(root, "certs", "*"))):
        os.chmod(file, 0o755)
    wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _ENTER, root, images.USERS[name]]
    return root, Daemon(name, [f"/usr/bin/{name}", *options], os.path.join(home, f"{name}.log"), wrap)


def mapped(daemon, root):
    """The files below `root` that the running daemon has loaded, as they are called in its image."""
    with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8") as file:
        paths = {line.split(None, 5)[5].strip() for line in file if line.count("/")}
    return {path[len(root):] if path.startswith(root) else path for path in paths if path.startswith("/") and not path.startswith("/dev/")}


def start_both(checks):
    home = scope.temp_dir("rubato-images-")
    make_certs(os.path.join(home, "certs"), NODE)
    port, tls = free_port(), ["--tls-ca", "/certs/ca.crt"]
    croot, controller = image_daemon(home, CONTROLLER, "--source", "/manifests", "--status", "/status", "--listen", f"127.0.0.1:{port}",
                                     "--tls-cert", "/certs/controller.crt", "--tls-key", "/certs/controller.key", *tls)
    aroot, agent = image_daemon(home, AGENT, "--controller", f"127.0.0.1:{port}", "--tls-server-name", CONTROLLER_NAME, "--window", "1s",
                                "--tls-cert", f"/certs/{NODE}.crt", "--tls-key", f"/certs/{NODE}.key", "--state-dir", "/state",
                                "--sink-file", "/profiles", *tls)
    for manifest in ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}, policy("payments", "boost", 100, "60s")):
        with open(f"{croot}/manifests/{manifest['kind']}.json", "w", encoding="ascii") as file:
            json.dump(manifest, file)
    controller.start()
    agent.start()
    applied = wait_until(lambda: controller.metrics().get('rubato_controller_agents{state="applied"}') == 1, 15)
    checks.check("both start from the files of their images, and the agent has its plan", applied, "" if applied else agent.last_lines(2))
    with open(f"/proc/{controller.process.pid}/status", encoding="ascii") as file:
        uid = re.search(r"^Uid:\s+(\d+)", file.read(), re.M)[1]
    checks.check("the controller does not run as root", uid == "65532", uid)
    for name, daemon, root in ((CONTROLLER, controller, croot), (AGENT, agent, aroot)):
        there = {path for path in contents(f"{images.OUT}/{name}") if not path.endswith("ca-certificates.crt")}
        loaded = {os.path.join(re.sub(r"^/lib", "/usr/lib", path)) for path in mapped(daemon, root)}
        checks.check(f"{name}: what is in the image is what it loads, no more and no less", there == loaded,
                     f"{len(there)} files" if there == loaded else f"not loaded: {there - loaded}; not there: {loaded - there}")
    checks.check("both end with status 0", (agent.stop(), controller.stop()) == (0, 0))


def _what_failed(said):
    lines = said.strip().splitlines()
    return [line for line in lines if "FAILED" in line or "rror" in line][-12:] or lines[-5:]


def build_again(checks):
    began = time.monotonic()
    print("making a bare Debian 13 ...", flush=True)
    machine = BareDebian(DEBIAN_13)
    script = (f"apt-get update\napt-get install -y make\nmake deps\nmake -j{os.cpu_count()} all check\n"
              "xargs apt-get install -y --no-install-recommends < images/packages\n")
    status, said = machine.run(script, CHECK_S)
    counted = re.findall(r"^\d+ passed, \d+ failed.*$", said, re.M)
    good = status == 0 and counted and " 0 failed" in counted[-1]
    if checks.check("bare Debian 13: make deps, make, make check", good,
                    f"{counted[-1] if counted else ''}, {time.monotonic() - began:.0f} s{'' if good else ': ' + ' | '.join(_what_failed(said))}"):
        with open(f"{images.OUT}/digests.json", encoding="ascii") as file:
            first = json.load(file)
        second = images.pack(machine, scope.temp_dir("rubato-again-"))
        for name in images.TITLES:
            checks.check(f"{name}: built again on another machine, it has the same digest", first[name] == second[name],
                         f"{first[name]}, {second[name]}")


def main(again):
    checks = Checks()
    scope.install()
    for name in images.TITLES:
        look_into(checks, name)
        look_at_bill(checks, name)
    try:
        if why := missing():
            checks.skip("both daemons from their images", why)
        else:
            start_both(checks)
        if again:
            build_again(checks)
    except Missing as why:
        checks.skip("a bare Debian 13", str(why))
    checks.print_lines("images")
    print(checks.closing_line())
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main("--again" in sys.argv[1:]))
