# SPDX-License-Identifier: Apache-2.0
"""A namespace is raised by `kubectl apply -f examples/boost.yaml`, and drops back."""

import json
import os
import time

from rubato.daemons import REPO, wait_until
from rubato.figures import percentile
from rubato.kube_watcher import parse_time
from rubato.onenode.images import WORK

BASE, HIGH = 19, 100
NS, NAME = "payments", "boost"
EXAMPLE = os.path.join(REPO, "examples", "boost.yaml")
BOOSTS = 20
SECOND = 1_000_000_000


def _first_sample(rows, ids, timeout_s=5):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if any(row.rate_hz == HIGH and row.cgroup in ids for row in rows.read()):
            return time.time_ns()
        time.sleep(0.001)
    return None


def _one(stage, rows, ids):
    """(to the first sample, to Programmed) in ms, of one boost that is deleted again."""
    began = time.time_ns()
    apply = stage.begin_kubectl("apply", "-f", EXAMPLE)
    first = _first_sample(rows, ids)
    apply.wait(30)
    stage.kubectl("-n", NS, "wait", "--for=condition=Programmed", f"profpol/{NAME}", "--timeout=10s")
    told = time.time_ns()
    stage.unboost(NS, NAME)
    over = wait_until(lambda: all(row.rate_hz != HIGH for row in rows.read()), 15)
    return first and (first - began) / 1e6, (told - began) / 1e6, over


def apply_to_first_sample(stage, checks):
    ids = {stage.cgroup_id(c) for c in stage.containers(NS)}
    rows, first, told = stage.rows(), [], []
    for i in range(BOOSTS):
        took, programmed, over = _one(stage, rows, ids)
        if took is None or not over:
            checks.check(f"boost {i + 1} begins and ends", False, f"first sample {took}, over {over}")
            continue
        first.append(took)
        told.append(programmed)
        time.sleep(0.1 + 0.01 * (i % 10))  # at every phase of a tick and a window
    rows.close()
    checks.check(f"{BOOSTS} times kubectl apply -f examples/boost.yaml: Programmed, sampled at 100 Hz, and back when deleted", len(first) == BOOSTS)
    for name, values in (("apply_to_first_sample", first), ("apply_to_programmed", told)):
        for percent in (50, 99):
            stage.figures.add(f"{name}_p{percent}", percentile(values, percent) if values else None, "ms")
    if first:
        checks.check("the first sample at 100 Hz is soon there", percentile(first, 99) < 2000,
                     f"p50 {percentile(first, 50):.0f} ms, p99 {percentile(first, 99):.0f} ms, kubectl's own time included")


def short_pod(name):
    """A pod that works for three seconds."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": NS, "name": name}, "spec": {
        "restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [{
            "name": "job", "image": WORK, "imagePullPolicy": "Never", "command": ["/burn", "--seconds", "3", "--duty", "50"]}]}}


def _apply_example(stage):
    stage.kubectl("apply", "-f", EXAMPLE)
    status = stage.until_status(NS, NAME, lambda s: s.get("expiresAt"))
    return parse_time(status["expiresAt"])


def _check_short_pod(stage, checks):
    done = stage.get("-n", NS, "pod", "short")
    lived = done["status"]["containerStatuses"][0]["state"]["terminated"]
    seconds = (parse_time(lived["finishedAt"]) - parse_time(lived["startedAt"])) / SECOND
    profiles = [p for p in stage.profiles(NS) if p.pod == "short"]
    # Its plan goes out with what else changes within a quarter of a second; on a busy machine its first moments are before that.
    high_s, all_s = (sum(p.cpu_ns() for p in some) / 1e9 for some in ([p for p in profiles if p.rate_hz == HIGH], profiles))
    checks.check(f"a pod that lived {seconds:.0f} s during the boost is there, at 100 Hz but for its first moments", high_s > 0.6 * all_s > 0,
                 f"{high_s:.2f} of {all_s:.2f} s of CPU")
    cpu = sum(p.cpu_ns() for p in profiles) / 1e9
    checks.near("... with the CPU time that it had", cpu, 1.5, 0.3, " s")
    names = {name for p in profiles for stack, _, _ in p.samples() for name in stack}
    checks.check("... and with the names of its functions", "burn_heavy" in names, "" if "burn_heavy" in names else str(sorted(names))[:200])


def a_boost_that_expires(stage, checks):
    old, others = stage.containers(NS), stage.containers("search")
    log = stage.rate_log()
    end_ns = _apply_example(stage)
    stage.kubectl("-n", NS, "wait", "--for=condition=Programmed", f"profpol/{NAME}", "--timeout=10s")
    stage.server.apply(short_pod("short"))
    stage.kubectl("-n", NS, "scale", "deployment/settlement", "--replicas=2")
    stage.kubectl("-n", NS, "rollout", "status", "deployment/settlement", "--timeout=20s")
    new = [c for c in stage.containers(NS) if c not in old and c.pod != "short"]
    ids = {c: stage.cgroup_id(c) for c in (*old, *new, *others)}
    time.sleep(max(0, (end_ns - time.time_ns()) / SECOND) + 5)
    log.stop()
    for container in old:
        late_s = (log.last_at(ids[container], HIGH) - end_ns) / SECOND
        checks.near(f"{container.pod.rsplit('-', 2)[0]}: its last sample at 100 Hz, of the time when the boost was to end", late_s, 0, 1.2, " s")
        after = log.rates(ids[container], end_ns + 2 * SECOND)
        checks.check("... and 19 Hz since", after == [BASE], str(after))
    checks.check("scaled up during the boost: one more pod", len(new) == 1)
    for container in new:
        rates = log.rates(ids[container])
        during = [g.rate_hz for g in log.of(ids[container]) if g.time_ns < end_ns]
        checks.check("... which is at 100 Hz but for its first moments, and at 19 Hz after the end",
                     during and during.count(HIGH) > 0.9 * len(during) and rates == [BASE, HIGH], str(rates))
    seen = {rate for c in others for rate in log.rates(ids[c])}
    checks.check("another namespace stays at 19 Hz all the time", seen == {BASE}, str(seen))
    status = stage.until_status(NS, NAME, lambda s: any(c["type"] == "Expired" and c["status"] == "True" for c in s.get("conditions", ())))
    said = {c["type"]: c["status"] for c in status["conditions"]}
    checks.check("the policy says Expired", said.get("Expired") == "True" and said.get("Programmed") == "False", json.dumps(said))
    wait_until(lambda: any(p.pod == "short" for p in stage.profiles(NS)), 15, 0.5)
    _check_short_pod(stage, checks)
    events = stage.kubectl("-n", NS, "get", "events")
    checks.check("kubectl get events tells of both", "RateRaised" in events and "RateRestored" in events)
    stage.unboost(NS, NAME)
    stage.kubectl("-n", NS, "delete", "pod", "short", "--wait=false")
    stage.kubectl("-n", NS, "scale", "deployment/settlement", "--replicas=1")


CASES = [apply_to_first_sample, a_boost_that_expires]
