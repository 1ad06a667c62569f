#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of one node by a real API server: how soon a boost is real, and what the controller asks when idle.

IDLE_S=60 shortens the ten idle minutes; the figures are then named after the time that was measured."""

import datetime
import http.client
import json
import os
import ssl
import subprocess
import sys
import time

from rubato import cgroups, scope, tools
from rubato.bpfmaps import SampleRows
from rubato.daemons import wait_until
from rubato.figures import Figures, percentile
from rubato.kernel import missing
from rubato.kube_rig import USER, KubeRig
from rubato.rig import policy

APPLIES, PATCHES = 40, 50
RATE_HZ = 100
NS = "payments"
POLICIES = f"/apis/profiling.rubato.dev/v1alpha1/namespaces/{NS}/profilingpolicies/"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
SETTLE_S = 10


class Client:
    """The API server by bare HTTP, on one connection."""

    def __init__(self, server):
        context = ssl.create_default_context(cafile=server.pki.path("ca.crt"))
        context.load_cert_chain(server.pki.path("admin.crt"), server.pki.path("admin.key"))
        self.line = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=context)

    def begin_apply(self, body):
        """Send a server-side apply.  The answer is finish()'s."""
        self.line.request("PATCH", POLICIES + body["metadata"]["name"] + "?fieldManager=bench", json.dumps(body),
                          {"Content-Type": "application/apply-patch+yaml"})

    def finish(self):
        answer = self.line.getresponse()
        text = answer.read().decode()
        if answer.status >= 300:
            raise RuntimeError(f"HTTP {answer.status}: {text}")

    def delete(self, name):
        self.line.request("DELETE", POLICIES + name)
        self.finish()


class Kubectl:
    """The same by `kubectl apply -f`."""

    def __init__(self, rig):
        self.rig, self.process = rig, None

    def begin_apply(self, body):
        path = os.path.join(self.rig.cluster.home, "boost.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump(body, file)
        server = self.rig.server
        self.process = subprocess.Popen([server.binary["kubectl"], "--kubeconfig", server.kubeconfig, "apply", "-f", path],
                                        stdout=subprocess.DEVNULL)

    def finish(self):
        if self.process.wait(30):
            raise RuntimeError("kubectl apply failed; what it said is above")


def wait_until_over(rows):
    """No sample of that rate is left in the maps: the window has ended, too."""
    if not wait_until(lambda: all(row.rate_hz != RATE_HZ for row in rows.read()), 15):
        raise RuntimeError("a boost that was deleted does not end")


def boost_times(rig, pod, client, writer, names):
    """For each boost: when it began to be written, and when its first sample was seen (None = never), in ns."""
    rows, seen = SampleRows(rig.agent.process.pid), []
    for i, name in enumerate(names):
        body = policy(NS, name, RATE_HZ, "60s")
        began = time.time_ns()
        writer.begin_apply(body)
        seen.append((began, rows.wait_for_first(pod.cgroup.id, RATE_HZ)))
        writer.finish()
        client.delete(name)
        wait_until_over(rows)
        time.sleep(0.1 + 0.01 * (i % 10))  # at every phase of a tick and a window
    rows.close()
    return seen


def add_percentiles(figures, name, took_ms, expected, goal=None):
    if len(took_ms) < expected:
        print(f"{name}: only {len(took_ms)} of {expected}")
    for percent, its_goal in ((50, None), (99, goal)):
        figures.add(f"{name}_p{percent}", percentile(took_ms, percent) if took_ms else None, "ms", its_goal)


def to_first_sample(seen):
    return [(first - began) / 1e6 for began, first in seen if first]


def received_ns(record):
    """When the API server got the request, to the microsecond."""
    text = record["requestReceivedTimestamp"].replace("Z", "+00:00")
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1e6) * 1000


def kubectl_share(rig, names, seen):
    """From the start of kubectl to the API server's receipt of its write: what is not ours."""
    got = {}
    for record in rig.server.audit("admin"):
        if record["verb"] in WRITES and (name := record.get("objectRef", {}).get("name")):
            got.setdefault(name, received_ns(record))
    return [(got[name] - began) / 1e6 for name, (began, _) in zip(names, seen) if name in got]


def latencies(figures, rig, pod):
    client = Client(rig.server)
    names = [f"applied-{i}" for i in range(APPLIES)]
    seen = boost_times(rig, pod, client, Kubectl(rig), names)
    add_percentiles(figures, "apply_to_first_sample", to_first_sample(seen), APPLIES)
    add_percentiles(figures, "apply_kubectl_alone", kubectl_share(rig, names, seen), APPLIES)
    seen = boost_times(rig, pod, client, client, [f"patched-{i}" for i in range(PATCHES)])
    add_percentiles(figures, "patch_to_first_sample", to_first_sample(seen), PATCHES, 250)


def is_list(record):
    """A LIST, or a watch that is to send everything first."""
    return record["verb"] == "list" or "sendInitialEvents=true" in record["requestURI"]


def idle(figures, rig, seconds):
    """What the controller asks for while a boost runs, another policy is in force, and nothing changes."""
    rig.boost(NS, "continuous", 29, None)
    rig.boost(NS, "running", RATE_HZ, "24h")
    if not rig.server.audit(USER):
        raise RuntimeError("the audit log has nothing of the controller")
    if not rig.programmed(NS, "running", 15):
        raise RuntimeError("the boost is not confirmed")
    time.sleep(SETTLE_S)
    began = time.time_ns()
    time.sleep(seconds)
    asked = {r["auditID"]: r for r in rig.server.audit(USER) if received_ns(r) >= began}.values()
    lists, writes = [r for r in asked if is_list(r)], [r for r in asked if r["verb"] in WRITES]
    for record in lists + writes:
        print(f"asked while idle: {record['verb']} {record['requestURI']}")
    name = "idle_10min" if seconds == 600 else f"idle_{seconds}s"
    figures.add(f"{name}_lists", len(lists), "requests", 0)
    figures.add(f"{name}_writes", len(writes), "requests", 0)


def main():
    scope.install()
    if why_not := missing():
        print(f"The bench cannot run here: {why_not}", file=sys.stderr)
        return 1
    cgroups.sweep()
    figures = Figures("kube", shared=True)
    try:
        rig = KubeRig("bench-kube", window="1s")
    except tools.Missing as why:
        print(f"The bench cannot run here: {why}", file=sys.stderr)
        return 1
    rig.start()
    pod = rig.pod(NS, "p").burn(100)
    time.sleep(3)
    latencies(figures, rig, pod)
    pod.cgroup.stop()
    idle(figures, rig, int(os.environ.get("IDLE_S", "600")))
    rig.finish()
    figures.print()
    print(f"written to {figures.write()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
