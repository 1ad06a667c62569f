# SPDX-License-Identifier: Apache-2.0
"""What it took, and what `helm uninstall` leaves."""

import os
import re
import time

from rubato.bpfmaps import map_bytes
from rubato.daemons import wait_until
from rubato.onenode.stage import RELEASE, SYSTEM

CPU_S = 30
_UNIT = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "m": 1e-3}
# What an API server makes by itself, and what passes.
PASSING = ("events", "events.events.k8s.io", "endpointslices.discovery.k8s.io", "endpoints", "leases.coordination.k8s.io")

EVERYWHERE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}


def _quantity(text):
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", text).groups()
    return float(number) * _UNIT[unit]


def _peak_bytes(pid):
    """Resident memory at its highest."""
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return int(re.search(r"VmHWM:\s+(\d+)", text.read())[1]) << 10


def _cpus(stage, container):
    """Over some windows: the case before may have started it anew, and a start is dear."""
    used, began = stage.cpu_seconds(container), time.monotonic()
    time.sleep(CPU_S)
    return (stage.cpu_seconds(container) - used) / (time.monotonic() - began)


def what_it_takes(stage, checks):
    """After all the cases before, against what the chart asks for."""
    for component in ("controller", "agent"):
        container, _ = stage.ours(component)
        pid = stage.pid(container)
        asked = stage.get("-n", SYSTEM, "pod", container.pod)["spec"]["containers"][0]["resources"]
        peak, cpus = _peak_bytes(pid), _cpus(stage, container)
        if component == "agent":
            stage.figures.add("agent_bpf_maps", map_bytes(pid) / (1 << 20), "MB")
        stage.figures.add(f"{component}_memory_peak", peak / (1 << 20), "MB", _quantity(asked["requests"]["memory"]) / (1 << 20))
        stage.figures.add(f"{component}_cpu", 1000 * cpus, "m", 1000 * _quantity(asked["requests"]["cpu"]))
        checks.check(f"the {component} at its highest is below the memory that it requests", peak <= _quantity(asked["requests"]["memory"]),
                     f"{peak / (1 << 20):.0f} MB of {asked['requests']['memory']}, limit {asked['limits']['memory']}")
        checks.check("... and on average below the CPU", cpus <= _quantity(asked["requests"]["cpu"]), f"{1000 * cpus:.1f}m of {asked['requests']['cpu']}")


def _kinds(stage, *which):
    return ",".join(kind for kind in stage.kubectl("api-resources", "--verbs=list", "-o", "name", *which).split() if kind not in PASSING)


def _of_release(stage):
    """Every object of any kind that bears the release's label or lies in its namespace."""
    labelled = stage.kubectl("get", _kinds(stage), "-A", "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name", "--ignore-not-found")
    inside = stage.kubectl("get", _kinds(stage, "--namespaced=true"), "-n", SYSTEM, "-o", "name", "--ignore-not-found")
    return set((labelled + inside).split()) - EVERYWHERE


def helm_uninstall(stage, checks):
    agent, _ = stage.ours("agent")
    pid = stage.pid(agent)
    stage.boost("payments", "left", 100, "10m")
    stage.kubectl("-n", "payments", "wait", "--for=condition=Programmed", "profpol/left", "--timeout=20s")
    stage.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout", "90s")
    gone = wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 40, 0.5)
    checks.check("helm uninstall in the middle of a boost: the agent, and with it its BPF programs, is gone", gone)
    wait_until(lambda: not _of_release(stage), 20, 1)
    left = _of_release(stage)
    checks.check("nothing of the release is left in the cluster", not left, " ".join(sorted(left))[:300])
    crds = stage.kubectl("get", "crd", "-o", "name").split()
    checks.check("but the CRDs and the policies that people made, as the docs say",
                 len([c for c in crds if "profiling.rubato.dev" in c]) == 2 and stage.status("payments", "left"))
    stage.unboost("payments", "left")
    kept = os.listdir(stage.cluster.path("rubato"))
    checks.check("... and on the node the directory of the profiles", "profiles" in kept, " ".join(kept))


CASES = [what_it_takes, helm_uninstall]
