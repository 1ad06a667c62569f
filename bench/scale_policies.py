# SPDX-License-Identifier: Apache-2.0
"""Many policies in a large cluster: 2,000 of them in all namespaces, then 20 boosts while the counts of all the others
change, since agents come and go (bench/simagents).  Part of bench/kube_scale.py."""

import json
import os
import threading
import time

from rubato.daemons import BUILD, CONTROLLER_NAME, wait_until
from rubato.figures import percentile
from scale_clients import MB, NAMESPACES, NODES, Client, Writer, controller

POLICIES, BOOSTS = 2000, 20
CHURN = 60  # agents that come and go: their pods are of most namespaces
SETTLE_S, WATCH_S = 240, 60
PATH = "/apis/profiling.rubato.dev/v1alpha1"


def node_name(i):
    return f"node-{i:04}.eu-1.example.com"  # as bench/scale/fill names them


def policy(name, **spec):
    return {"apiVersion": "profiling.rubato.dev/v1alpha1", "kind": "ProfilingPolicy", "metadata": {"name": name}, "spec": spec}


def agents(daemon, server, nodes):
    listen = daemon.argv[daemon.argv.index("--listen") + 1]
    return Client([os.path.join(BUILD, "bench", "simagents"), listen, CONTROLLER_NAME, os.path.join(server.home, "certs"),
                   *nodes], "stdout")


class Lag:
    """The greatest loop lag while it is open, by scraping often (each scrape begins anew)."""

    def __init__(self, daemon):
        self.daemon, self.max_ms, self.open = daemon, 0, True
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while self.open:
            lag = self.daemon.metrics().get("rubato_controller_loop_lag_max_seconds", 0)
            self.max_ms = max(self.max_ms, 1000 * lag)
            time.sleep(1)

    def close(self):
        self.open = False
        self.thread.join()
        return self.max_ms


class Statuses(threading.Thread):
    """A watch of all policies: when each was first seen with Programmed=True, by CLOCK_REALTIME."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.line, self.first, self.with_status = Writer(server).line, {}, set()
        self.start()

    def run(self):
        self.line.request("GET", f"{PATH}/profilingpolicies?watch=1")
        for line in self.line.getresponse():
            now, given = time.time_ns(), json.loads(line)["object"]
            about, status = given["metadata"], given.get("status", {})
            if status.get("observedGeneration"):
                self.with_status.add((about["namespace"], about["name"]))
            for condition in status.get("conditions", []):
                if condition["type"] == "Programmed" and condition["status"] == "True":
                    self.first.setdefault((about["namespace"], about["name"]), now)


def confirmed(fleet):
    """{(namespace, name): when the simulated agent had applied the boost}"""
    found = {}
    for _, line in fleet.lines:
        said = json.loads(line)
        for boost in said["boosts"]:
            found.setdefault(tuple(boost.split("@")[0].split("/")), said["wall_ns"])
    return found


def boost_everywhere(writer, nodes):
    """One pod on each node gets a boost of its own."""
    made = []
    for i, node in enumerate(nodes):
        pod = writer.ask("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}&limit=1")["items"][0]["metadata"]
        writer.ask("PATCH", f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}", {"metadata": {"labels": {"boosted": f"b{i}"}}})
        made.append((pod["namespace"], f"boost-{i}"))
    time.sleep(2)
    for i, (namespace, name) in enumerate(made):
        writer.ask("POST", f"{PATH}/namespaces/{namespace}/profilingpolicies",
                   policy(name, sampleRateHz=100, duration="5m", selector={"matchLabels": {"boosted": f"b{i}"}}))
        time.sleep(0.5)
    return made


def measure(server):
    steady = [node_name(i * NODES // BOOSTS) for i in range(BOOSTS)]
    coming = [node_name(i * NODES // CHURN + 1) for i in range(CHURN)]
    daemon, client = controller(server, nodes=[*steady, *coming])
    client.synced(b"everything is read from the Kubernetes API")
    wait_until(daemon.ready, 30)
    time.sleep(3)
    daemon.metrics()  # what the sync's lag was is told by another figure
    writer, lag = Writer(server), Lag(daemon)
    seen = Statuses(server)
    fleet = agents(daemon, server, steady)
    for i in range(POLICIES):
        writer.ask("POST", f"{PATH}/namespaces/team-{i % NAMESPACES:03}/profilingpolicies", policy(f"steady-{i}", sampleRateHz=29))
    began = time.monotonic()
    if not wait_until(lambda: len(seen.with_status) >= POLICIES, SETTLE_S, 0.2):
        print(f"only {len(seen.with_status)} of {POLICIES} policies have a status after {SETTLE_S} s")
    settled_s = time.monotonic() - began
    changing = agents(daemon, server, coming)
    boosts = boost_everywhere(Writer(server), steady)  # the API server has closed the other, idle as it was
    wait_until(lambda: all(boost in seen.first for boost in boosts), WATCH_S, 0.1)
    told, took = confirmed(fleet), {"settled": settled_s}
    took["visible"] = [(seen.first[b] - told[b]) / 1e6 for b in boosts if b in seen.first and b in told]
    took["rss"], took["lag"] = daemon.resident_bytes(), lag.close()
    for process in (changing, fleet, client):
        process.end()
    return took


def report(figures, took):
    name = f"policies_{POLICIES}"
    figures.add(f"{name}_lag_max", took["lag"], "ms", 50)
    figures.add(f"{name}_rss", took["rss"] / MB, "MB", 200)
    figures.add(f"{name}_all_statuses", took["settled"], "s")
    seen = took["visible"] if len(took["visible"]) == BOOSTS else []
    if not seen:
        print(f"only {len(took['visible'])} of {BOOSTS} boosts became Programmed within {WATCH_S} s")
    for percent in (50, 99):
        figures.add(f"confirm_visible_p{percent}", percentile(seen, percent) if seen else None, "ms", 1000 if percent == 99 else None)
