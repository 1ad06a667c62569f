# SPDX-License-Identifier: Apache-2.0
"""Every version of the policies that an API server has had, and what must be true of each."""

import json
import re
import subprocess
from datetime import datetime, timezone

from . import scope

REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9_])?")


def parse_time(text):
    """RFC 3339 as CLOCK_REALTIME ns."""
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp() * 1e9)


def conditions(policy):
    """{type: condition}"""
    return {c["type"]: c for c in policy.get("status", {}).get("conditions", [])}


def truths(policy):
    """{type: "True" or "False"}"""
    return {kind: c["status"] for kind, c in conditions(policy).items()}


def kstatus(policy):
    """What sigs.k8s.io/cli-utils makes of it (its generic rules)."""
    status = policy.get("status", {})
    if status.get("observedGeneration") != policy["metadata"]["generation"]:
        return "InProgress"
    seen = truths(policy)
    if seen.get("Stalled") == "True":
        return "Failed"
    return "Current" if seen.get("Ready") == "True" and seen.get("Reconciling") != "True" else "InProgress"


def faults(policy):
    """What is wrong with one version of a policy, as sentences."""
    status, seen = policy.get("status", {}), conditions(policy)
    observed = status.get("observedGeneration", 0)
    if observed > policy["metadata"]["generation"]:
        yield "observedGeneration is of a generation to come"
    if len(seen) != len(status.get("conditions", [])):
        yield "a condition is there twice"
    for kind, condition in seen.items():
        if condition.get("observedGeneration") != observed:
            yield f"{kind} speaks of another generation"
        if not REASON.fullmatch(condition["reason"]):
            yield f"{kind}: {condition['reason']} is no reason"
        parse_time(condition["lastTransitionTime"])
    yield from _claims(status, truths(policy))


def _claims(status, seen):
    agents = status.get("agents", {})
    confirmed = agents.get("desired", 0) > 0 and agents.get("desired") == agents.get("applied")
    if seen.get("Programmed") == "True" and not confirmed:
        yield f"Programmed, with {agents}"
    if seen.get("Programmed") == "True" and seen.get("Expired") == "True":
        yield "Programmed and Expired"
    if seen.get("Expired") == "True" and seen.get("Ready") != "True":
        yield "Expired and not Ready"


def jumps(before, after):
    """Conditions whose lastTransitionTime does not move exactly when their status does."""
    old, new = conditions(before), conditions(after)
    for kind in old.keys() & new.keys():
        moved = old[kind]["lastTransitionTime"] != new[kind]["lastTransitionTime"]
        if moved and old[kind]["status"] == new[kind]["status"]:
            yield f"{kind}: lastTransitionTime moved though its status did not"


class Watcher:
    """`kubectl get --watch` of all ProfilingPolicies, while it is open."""

    def __init__(self, server):
        with open(f"{server.home}/watch.json", "wb") as out:
            self._process = subprocess.Popen(
                [server.binary["kubectl"], "--kubeconfig", server.kubeconfig, "get", "profilingpolicies",
                 "--all-namespaces", "--watch", "--output-watch-events", "-o", "json"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        self._path = out.name
        scope.on_exit(self.stop)

    def stop(self):
        scope.end_process(self._process)

    def versions(self, namespace=None, name=None):
        """Of a policy, oldest first."""
        return [policy for policy in self._objects()
                if namespace in (None, policy["metadata"]["namespace"]) and name in (None, policy["metadata"]["name"])]

    def _objects(self):
        with open(self._path, encoding="utf-8") as file:
            text = file.read()
        decoder, at = json.JSONDecoder(), 0
        while at < len(text.rstrip()):
            try:
                event, end = decoder.raw_decode(text, at)
            except ValueError:  # it is being written
                return
            at = end + len(text[end:]) - len(text[end:].lstrip())
            if event["type"] != "DELETED":
                yield event["object"]

    def faults(self):
        """Of all versions."""
        last, found = {}, set()
        for policy in self._objects():
            key, where = policy["metadata"]["uid"], policy["metadata"]["name"]
            found |= {f"{where}: {fault}" for fault in faults(policy)}
            if key in last:
                found |= {f"{where}: {fault}" for fault in jumps(last[key], policy)}
            last[key] = policy
        return sorted(found)
