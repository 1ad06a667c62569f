# SPDX-License-Identifier: Apache-2.0
"""What a tenant writes hurts only that tenant, on a real API server."""

import json
import time

from rubato import tools
from rubato.daemons import wait_until
from rubato.kube_rig import NODE, Cluster
from . import siege, siege_writes

ONE_BY_ONE, NEEDS_KERNEL = True, False
API = "profiling.rubato.dev/v1alpha1"
PATIENCE_S = 20
NUL = "a\u0000b"
HUGE = "<" * 900_000  # 5.4 MB as the API server writes it, 0.9 MB as it keeps it
SERVICE = "pyroscope.io/service_name"


def policy(namespace, name, **spec):
    return {"apiVersion": API, "kind": "ProfilingPolicy", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def pod(name, annotations=None, env=None, namespace="mallory", labels=None):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {
        "name": name, "namespace": namespace, "annotations": annotations or {}, "labels": labels or {}},
            "spec": {"nodeName": NODE, "automountServiceAccountToken": False, "containers": [
                {"name": "app", "image": "e2e/nothing", "env": [{"name": "E", "value": env}] if env else []}]}}


class Town(Cluster):
    """Two tenants: mallory writes what she may, alice wants to work."""

    def __init__(self, name, *server_extra):
        super().__init__(name, server_extra=server_extra)
        self.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}} for ns in ("alice", "mallory")))

    def post(self, body):
        """By her own hand: kubectl would keep a copy in an annotation."""
        metadata, kind = body["metadata"], body["kind"]
        where = f"/api/v1/namespaces/{metadata['namespace']}/pods"
        if kind == "ProfilingPolicy":
            where = f"/apis/{API}/namespaces/{metadata['namespace']}/profilingpolicies"
        code, said = self.server.request("POST", where, body)
        if code != 201:
            raise RuntimeError(f"{kind} {metadata['name']}: {said}")

    def patch(self, namespace, name, **change):
        where = f"/apis/{API}/namespaces/{namespace}/profilingpolicies/{name}"
        code, said = self.server.request("PATCH", where, change, "application/merge-patch+json")
        if code != 200:
            raise RuntimeError(f"policy {name}: {said}")

    def status(self, namespace, name):
        found = self.get(f"/apis/{API}/namespaces/{namespace}/profilingpolicies/{name}") or {}
        return found.get("status") or {}

    def condition(self, namespace, name, kind):
        return next((c for c in self.status(namespace, name).get("conditions") or [] if c["type"] == kind), {})

    def accepted(self, namespace, name):
        return self.condition(namespace, name, "Accepted")

    def left_out(self, reason):
        return self.controller.metrics().get(f'rubato_controller_pods_left_out{{reason="{reason}"}}')

    def until_accepted(self, namespace, name, status="True", timeout_s=PATIENCE_S):
        return bool(wait_until(lambda: self.accepted(namespace, name).get("status") == status, timeout_s, 0.1))

    def metric(self, name, kind):
        return self.controller.metrics().get(f'rubato_controller_{name}{{kind="{kind}"}}', 0)

    def notes(self, reason):
        """Which objects have an Event of the reason."""
        text = self.server.kubectl("get", "events.events.k8s.io", "-A", "-o", "json")
        return {e["regarding"]["name"]: e["note"] for e in json.loads(text)["items"] if e["reason"] == reason}

    def logged(self, name):
        return [r for r in self.controller.log_records() if r["msg"] in ("object cannot be used", "policy refused") and r["name"] == name]



def check_alice(checks, town, when, number):
    """The streams of policies and of pods still bring news."""
    began = time.monotonic()
    town.apply(policy("alice", f"work-{number}", sampleRateHz=40))
    good = town.until_accepted("alice", f"work-{number}")
    checks.check(f"{when}: another tenant's policy is accepted", good, f"after {time.monotonic() - began:.2f} s")
    checks.check(f"{when}: ready", town.controller.ready())
    before = town.metric("watch_objects_total", "Pod")
    town.post(pod(f"plain-{number}"))
    checks.check(f"{when}: pods are still followed", wait_until(lambda: town.metric("watch_objects_total", "Pod") > before, 5))


def write_all(town):
    town.post(pod("nul", {SERVICE: NUL}))
    town.post(pod("huge", env=HUGE))
    town.post(policy("mallory", "nul", sampleRateHz=40, reason=NUL))
    noted = policy("mallory", "noted", sampleRateHz=40)
    noted["metadata"]["annotations"] = {"example.com/note": NUL}
    town.post(noted)


def check_told(checks, town):
    checks.check("the policies say Accepted=False",
                 town.until_accepted("mallory", "nul", "False") and town.until_accepted("mallory", "noted", "False"))
    for name, way in (("nul", "spec.reason: "), ("noted", "metadata.annotations.example.com/note: ")):
        said = town.accepted("mallory", name)
        checks.check(f"policy {name}: the message says where and what", said.get("reason") == "Invalid" and
                     said["message"].startswith(f"{way}has the character \\u0000 in it"), said.get("message"))
    pods = lambda: {"nul", "huge"} <= set(town.notes("Unreadable"))
    checks.check("a Warning Event stands at each pod", wait_until(pods, PATIENCE_S, 0.3))
    notes = town.notes("Unreadable")
    checks.check("it says why", "service_name: has the character \\u0000 in it" in notes.get("nul", "") and
                 "larger than 4194304 bytes" in notes.get("huge", ""), str(notes))
    checks.check("they are counted", town.metric("watch_refused_total", "Pod") >= 2 and
                 town.metric("watch_refused_total", "ProfilingPolicy") >= 2)


def check_good_stays(checks, town):
    """A policy that was good, then is not: what was known of it stays; mended, it is accepted."""
    town.apply(policy("mallory", "turns", sampleRateHz=40))
    town.until_accepted("mallory", "turns")
    town.patch("mallory", "turns", spec={"sampleRateHz": 60, "reason": NUL})
    checks.check("an edit that cannot be read: Accepted=False", town.until_accepted("mallory", "turns", "False"))
    said = town.accepted("mallory", "turns").get("message", "")
    checks.check("and the generation before stays in force", "generation 1 stays in force" in said, said)
    town.patch("mallory", "turns", spec={"reason": None})
    checks.check("mended, it is accepted", town.until_accepted("mallory", "turns"))
    town.patch("mallory", "turns", metadata={"annotations": {"example.com/note": NUL}})
    checks.check("the same by an annotation", town.until_accepted("mallory", "turns", "False"))
    said = town.accepted("mallory", "turns").get("message", "")
    checks.check("the sentence fits", "It is taken for what it was before" in said, said)
    town.patch("mallory", "turns", metadata={"annotations": None})
    checks.check("and mended", town.until_accepted("mallory", "turns"))


def check_quiet(checks, town, lists):
    time.sleep(3)
    checks.check("no watch began again",
                 [town.metric("watch_errors_total", kind) for kind in ("Pod", "ProfilingPolicy")] == lists,
                 f"{lists} errors before")
    for name in ("nul", "huge"):
        checks.check(f"{name} is logged once for each kind", 1 <= len(town.logged(name)) <= 2, str(len(town.logged(name))))


def check_deleted(checks, town):
    for name in ("nul", "noted", "turns"):
        town.server.kubectl("-n", "mallory", "delete", "profpol", name)
    for name in ("nul", "huge"):
        town.delete_pod("mallory", name)
    gone = wait_until(lambda: town.controller.metrics().get(
        'rubato_controller_policies_refused{kind="ProfilingPolicy"}') == 0, PATIENCE_S)
    checks.check("deleted, they are forgotten", gone)


def check_lag(checks, town):
    metrics = town.controller.metrics()
    late = metrics["rubato_controller_loop_lag_seconds_count"] - metrics['rubato_controller_loop_lag_seconds_bucket{le="0.1"}']
    checks.check("the loop was not held up", late == 0, f"{late:.0f} of its turns came more than 100 ms late")


def judge(checks, town):
    town.controller.start(30)
    check_alice(checks, town, "before", 0)
    errors = [town.metric("watch_errors_total", kind) for kind in ("Pod", "ProfilingPolicy")]
    write_all(town)
    check_alice(checks, town, "beside them", 1)
    check_told(checks, town)
    check_good_stays(checks, town)
    check_alice(checks, town, "after all of it", 2)
    check_quiet(checks, town, errors)
    check_lag(checks, town)
    town.controller.stop()
    town.controller.start(30)
    check_alice(checks, town, "after a restart beside them", 3)
    checks.check("after a restart they are still refused", town.until_accepted("mallory", "nul", "False"))
    check_deleted(checks, town)
    check_alice(checks, town, "when they are gone", 4)
    checks.check("the controller ends well", town.controller.stop() == 0, town.controller.last_lines(2))
    checks.check("and says nothing of memory", not town.controller.sanitizer_report())
    town.server.stop()


FLOOD = 400


def check_flood(checks, town):
    """400 statuses are 20 s of writing; whoever comes then does not wait for them."""
    town.controller.start(30)
    town.apply(policy("alice", "first", sampleRateHz=40))
    town.until_accepted("alice", "first")
    for i in range(FLOOD):
        town.post(policy("mallory", f"flood-{i}", sampleRateHz=40))
    began = time.monotonic()
    town.apply(policy("alice", "second", sampleRateHz=40))
    applied = time.monotonic()
    town.until_accepted("alice", "second")
    took = time.monotonic() - applied
    waiting = sum(not town.accepted("mallory", f"flood-{i}") for i in range(FLOOD - 60, FLOOD, 6))
    checks.check("while they are written another tenant's policy is accepted at once", took <= 1,
                 f"{took:.2f} s after kubectl apply, which took {applied - began:.2f} s")
    checks.check("others still waited by then", waiting > 0, f"{waiting} of the last 10")
    town.until_accepted("mallory", f"flood-{FLOOD - 1}", "False", 60)
    seen = [town.accepted("mallory", f"flood-{i}").get("reason") for i in (0, FLOOD - 1)]
    checks.check("all are written in the end, the newest as too many", seen == ["Valid", "TooMany"], str(seen))
    checks.check("the controller ends well", town.controller.stop() == 0, town.controller.last_lines(2))
    town.server.stop()


LABELS = {f"example.com/key-{i:04}-{'k' * 40}": "v" * 63 for i in range(4000)}  # 0.5 MB
FULL, BEYOND = 33, 4  # 16 MiB have room for 33 such pods


def check_labels(checks, town):
    """A namespace's labels have a share; what a plan cannot say is counted."""
    town.controller.start(30)
    town.post(pod("named", {SERVICE: "n" * 254}))
    for i in range(FULL + BEYOND):
        town.post(pod(f"labelled-{i}", labels=LABELS))
    town.post(pod("work", namespace="alice", labels={"app": "work"}))
    for namespace in ("alice", "mallory"):
        town.apply(policy(namespace, "some", sampleRateHz=40, selector={"matchLabels": {"app": "work"}}))
    town.apply(policy("mallory", "all", sampleRateHz=40))
    said = lambda: town.condition("mallory", "some", "Programmed")
    told = wait_until(lambda: said().get("reason") == "LeftOut", PATIENCE_S, 0.2)
    checks.check("labels beyond the share: a policy that selects says LeftOut, and why",
                 told and "more labels than are kept" in said()["message"], str(said()))
    checks.check("the pods are counted", town.left_out("labels") == BEYOND, str(town.left_out("labels")))
    checks.check("so is one whose service name no plan can say", town.left_out("service_name") == 1, str(town.left_out("service_name")))
    checks.check("another tenant's policy knows its pod", wait_until(
        lambda: town.status("alice", "some").get("targets") == {"pods": 1, "nodes": 1}, PATIENCE_S, 0.2), str(town.status("alice", "some")))
    other = town.condition("mallory", "all", "Programmed")
    checks.check("a policy that selects all is not concerned", other.get("reason") == "Disconnected", str(other))
    town.server.kubectl("-n", "mallory", "delete", "pod", "--all", "--grace-period=0", "--force", "--wait=false")
    checks.check("when they are gone nothing is left out", wait_until(
        lambda: said().get("reason") == "NoTargets" and town.left_out("labels") == 0, PATIENCE_S, 0.2), str(said()))
    checks.check("the controller ends well", town.controller.stop() == 0, town.controller.last_lines(2))
    town.server.stop()


def run(checks, what, name, *server_extra):
    try:
        town = Town(name, *server_extra)
    except tools.Missing as why:
        checks.skip(what, str(why))
        return
    judge(checks, town)


async def objects_that_cannot_be_read_are_set_aside_alone(checks):
    run(checks, "unreadable objects in a watch", "tenants")


async def and_so_they_are_in_pages(checks):
    run(checks, "unreadable objects in pages", "tenants-pages", "--feature-gates=WatchList=false")


async def a_flood_of_policies_delays_nobody_else(checks):
    try:
        town = Town("tenants-flood")
    except tools.Missing as why:
        checks.skip("a flood of policies", str(why))
        return
    check_flood(checks, town)


async def labels_beyond_a_share_are_told(checks):
    try:
        town = Town("tenants-labels")
    except tools.Missing as why:
        checks.skip("labels beyond a share", str(why))
        return
    check_labels(checks, town)


CASES = [objects_that_cannot_be_read_are_set_aside_alone, and_so_they_are_in_pages, a_flood_of_policies_delays_nobody_else,
         labels_beyond_a_share_are_told, *siege.CASES, *siege_writes.CASES]
