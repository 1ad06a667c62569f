#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make e2e-kernels: the agent on the kernels of Debian 12 and 13 with pure cgroup v2, in qemu; one to two minutes each, no root.

The guest has our binaries and a shell script (guest/init); what it wrote is judged here.  RUBATO_KEEP=DIR keeps it.
"""

import json
import os
import re
import shutil
import sys
import time

from rubato import guest, pprof, scope
from rubato.bare import DEBIAN_13
from rubato.checks import Checks
from rubato.daemons import BUILD, REPO, make_certs
from rubato.rig import NODE, Pod, policy, tool

# Release: (what its package is called, of which Debian; None is this machine's).
KERNELS = {"6.1": (r"linux-image-6\.1\.0-[0-9]+-cloud-amd64", None),
           "6.12": (r"linux-image-6\.12\.[0-9]+\+deb13-cloud-amd64", DEBIAN_13)}
PROGRAMS = ("rubato-agent", "rubato-controller", "unit/agent/kernel/test_sampler_kernel", "e2e/burn")
TIMEOUT_S = 420
BOOST_HZ, BOOST = 100, "10s"


def make_initramfs(home, busybox, pod):
    path, certs = os.path.join(home, "initramfs"), os.path.join(home, "certs")
    programs = [os.path.join(BUILD, name) for name in PROGRAMS]
    archive = guest.Initramfs(path)
    archive.add(os.path.join(REPO, "e2e", "guest", "init"), "/init")
    archive.add(busybox, "/bin/busybox")
    for program in programs:
        archive.add(program, f"/rubato/{os.path.basename(program)}")
    for library in guest.libraries(*programs):
        archive.add(os.path.realpath(library), library)
    make_certs(certs, NODE)
    for name in os.listdir(certs):
        archive.add(os.path.join(certs, name), f"/certs/{name}")
    manifests = {
        "node": {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}},
        "namespace": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": pod.namespace}},
        "pod": pod.manifest(NODE),
        "boost": policy(pod.namespace, "inc-4211", BOOST_HZ, BOOST),
    }
    for name, manifest in manifests.items():
        archive.add_bytes(json.dumps(manifest).encode(), f"/manifests/{name}.json")
    archive.add_bytes(pod.path.encode(), "/manifests/cgroup")
    archive.close()
    return path


def text_of(home, name):
    try:
        with open(os.path.join(home, "out", name), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def last_lines(text, nr=4):
    return " | ".join(text.splitlines()[-nr:])


def judge_probe(checks, home):
    seen = text_of(home, "probe.txt")
    checks.check("rubato-agent --probe finds all it needs", text_of(home, "probe.status") == "0", last_lines(seen))


def judge_sampler(checks, home):
    """Each test of the sampler that ran there is a check here."""
    seen = text_of(home, "sampler.txt")
    found = re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] (\w+)$", seen, re.M)
    results = dict((name, word) for word, name in found)
    for name, word in results.items():
        sentence = f"sampler: {name.replace('_', ' ')}"
        if word == "SKIPPED":
            why = re.search(rf"\[ RUN +\] {name}\n(?:.*\n)*?skipped: (.*)\n", seen)
            checks.skip(sentence, why[1] if why else "it says no reason")
        else:
            why = re.search(rf"\[ RUN +\] {name}\n((?:.*\n)*?)\[  FAILED", seen) if word == "FAILED" else None
            checks.check(sentence, word == "OK", last_lines(why[1]) if why else "")
    if not results:
        checks.check("the sampler's tests run", False, last_lines(seen))
    size = re.search(r"verified instructions: (\d+)", seen)
    checks.check("the verifier of this kernel accepts the programs", size, f"{size[1]} instructions walked" if size else "")


def judge_boost(checks, home, pod):
    log = last_lines(text_of(home, "agent.log"))
    good = text_of(home, "boost.status") == "0"
    checks.check("controller and agent end when told to", good, "" if good else log)
    profiles = pprof.read_all(os.path.join(home, "out", "profiles"))
    own = [p for p in profiles if p.namespace == pod.namespace and p.pod == pod.name]
    if not checks.check("there are profiles of the pod, by its name", own, f"{len(own)} of {len(profiles)}{'' if own else ', ' + log}"):
        return
    rates = pprof.rates(own)
    checks.check("the boost goes 19, 100, 19 Hz", rates == [19, BOOST_HZ, 19], str(rates))
    faults = {fault for p in own for fault in p.faults()}
    checks.check("a strict reader has no objection", not faults, "; ".join(sorted(faults)))
    flat, deep = pprof.flat(own), pprof.cumulative(own)
    total = sum(flat.values())
    heavy, light = flat["burn_heavy"], flat["burn_light"]
    checks.near("the work is in burn_heavy and burn_light, 70 to 30", 100 * heavy / max(1, heavy + light), 70, 8, " %")
    checks.near("names are resolved up to the thread's function", 100 * deep["worker"] / max(1, total), 95, 5.1, " %")
    status = text_of(home, f"status/profilingpolicy.{pod.namespace}.inc-4211.json")
    checks.check("the policy says Expired", '"Expired"' in status and '"expiresAt"' in status)


def judge_kernel(checks, home):
    found = re.findall(r".*(?:BUG:|WARNING:|Oops|lockup|rcu: INFO).*", text_of(home, "dmesg.txt"))
    checks.check("the kernel has nothing to complain about", not found, last_lines("\n".join(found)))


def kernel_of(release):
    """(name of the package, directory with its files), or None."""
    pattern, debian = KERNELS[release]
    suite = guest.Suite(debian) if debian else None
    package = guest.newest(pattern, suite)
    files = package and guest.unpacked(package, suite)
    return (package, files) if files else None


def test_kernel(checks, release):
    """Returns the title."""
    title = f"kernel {release}"
    kernel, busybox = kernel_of(release), guest.unpacked("busybox-static")
    if not kernel or not busybox:
        checks.skip(title, f"no {KERNELS[release][0]} or busybox-static to download (try: apt-get update)")
        return title
    home = scope.temp_dir("rubato-kernels-", os.environ.get("RUBATO_KEEP"))
    pod = Pod("", "payments", "settlement-0")
    initramfs = make_initramfs(home, os.path.join(busybox, "bin", "busybox"), pod)
    vmlinuz = os.path.join(kernel[1], "boot", kernel[0].replace("linux-image", "vmlinuz"))
    print(f"booting {kernel[0]} (qemu, no KVM), about a minute and a half", flush=True)
    wrong = guest.run(vmlinuz, initramfs, home, TIMEOUT_S)
    if checks.check("the guest boots, runs and ends", not wrong, wrong):
        judge_probe(checks, home)
        judge_sampler(checks, home)
        judge_boost(checks, home, pod)
        judge_kernel(checks, home)
    return f"kernel {text_of(home, 'release.txt') or release}, pure cgroup v2"


def main():
    total, began = Checks(), time.monotonic()
    scope.install()
    if not shutil.which(guest.QEMU):
        total.skip("other kernels", f"{guest.QEMU} is missing; try: apt-get install --no-install-recommends qemu-system-x86")
        total.print_lines("kernels")
    else:
        for release in KERNELS:
            checks = Checks()
            checks.print_lines(test_kernel(checks, release))
            total.add(checks)
    print(f"e2e-kernels took {time.monotonic() - began:.0f} s")
    print(total.closing_line())
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
