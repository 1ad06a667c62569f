# SPDX-License-Identifier: Apache-2.0
"""A tenant attacks by what she writes at the API server; the others notice nothing, and she is told.  Part of the module
tenants."""

import os
import time

from rubato.attacker import ME, Attacker
from rubato.daemons import wait_until
from rubato.kube_objects import SERVICE
from rubato.kube_watcher import parse_time
from rubato.rig import API, policy
from rubato.siege import SECOND
from .siege import PATIENCE_S, begin, end, run_pod

NUL, HUGE = "a\u0000b", "<" * 900_000  # the second is 5.4 MB as the API server writes it
FLOOD_S = 12
CGROUP = "profiling.rubato.dev/cgroup"


class Writer(Attacker):
    """Her policies, and what she is told of them."""

    def policies(self, namespace=ME):
        return f"/apis/{API}/namespaces/{namespace}/profilingpolicies"

    def policy(self, name, hz, duration=None, **spec):
        return self.must("POST", self.policies(), policy(ME, name, hz, duration, **spec))

    def patch_status(self, name, **status):
        return self.must("PATCH", f"{self.policies()}/{name}/status", {"status": status}, "application/merge-patch+json")

    def accepted(self, name):
        """The condition Accepted, or {}."""
        conditions = (self.ask("GET", f"{self.policies()}/{name}")[1].get("status") or {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == "Accepted"), {})

    def delete_policies(self):
        self.must("DELETE", self.policies())

    def events(self, reason):
        """{name of the object: note} of the Events in her namespace."""
        items = self.must("GET", f"/api/v1/namespaces/{ME}/events")["items"]
        return {e["involvedObject"]["name"]: e["message"] for e in items if e["reason"] == reason}


def is_refused(mallory, name, reason):
    good = wait_until(lambda: mallory.accepted(name).get("reason") == reason, PATIENCE_S, 0.2)
    return f"{name} says Accepted=False, {reason}", good, mallory.accepted(name).get("message")


def what_cannot_be_read(mallory):
    def attack():
        mallory.pod("nul", {SERVICE: NUL})
        mallory.pod("huge", env=HUGE)
        mallory.policy("nul", 30, reason=NUL)
        told = wait_until(lambda: {"nul", "huge"} <= set(mallory.events("Unreadable")), PATIENCE_S, 0.3)
        return [is_refused(mallory, "nul", "Invalid"),
                ("an Event stands at each pod", told, str(mallory.events("Unreadable")))]
    return attack


def other_namespaces(mallory, siege):
    def attack():
        codes = {"a policy for alice": mallory.ask("POST", mallory.policies("alice"), policy("alice", "evil", 1))[0],
                 "carol's boost deleted": mallory.ask("DELETE", f"{mallory.policies('carol')}/boost")[0],
                 "carol's status": mallory.ask("PATCH", f"{mallory.policies('carol')}/boost/status", {"status": {}},
                                               "application/merge-patch+json")[0]}
        return [("the API server says no", set(codes.values()) == {403}, str(codes))]
    return attack


def cgroups_of_others(mallory, siege):
    """A pod that says it were the cgroup of alice's, with a policy of another rate."""
    def attack():
        mallory.policy("thief", 7)
        for name, path in (("x", "x"), ("absolute", siege.pods["alice"].path), ("relative", siege.pods["bob"].path.lstrip("/")),
                           ("root", "/"), ("above", os.path.dirname(siege.pods["carol"].path))):
            mallory.pod(name, {CGROUP: path, f"{CGROUP}.app": path})
        time.sleep(3)
        got = os.listdir(siege.agent.profiles)
        return [("no profile is hers", not {"x", "absolute", "relative", "root", "above"} & set(
            os.listdir(os.path.join(siege.agent.profiles, "mallory")) if "mallory" in got else []), str(got))]
    return attack


def hostile_texts(mallory, siege):
    """Of pods that run: the plan has them in it."""
    def attack():
        texts = {"newline": "shop\n", "long": "s" * 254, "longer": "s" * 100_000, "controls": "\x1b[31m\x7f", "dots": "../../etc",
                 "bidi": "\u202eshop", "empty": ""}
        pods = [run_pod(siege, name, {SERVICE: text}).burn(5) for name, text in texts.items()]
        good = wait_until(lambda: {pod.name for pod in pods} <= {p.pod for p in siege.rig.profiles("mallory")}, PATIENCE_S, 0.5)
        for pod in pods:
            siege.rig.delete_pod(pod)
        return [("her pods are profiled none the less", good, str({p.pod for p in siege.rig.profiles("mallory")}))]
    return attack


def flood_of_boosts(mallory):
    """Many rates, many selectors, many ends."""
    def attack():
        for i in range(60):
            mallory.policy(f"boost-{i:03}", 20 + i % 15, f"{30 + i}s", selector={"matchLabels": {f"k{i}": "v" * 60}},
                           reason="\u20ac" * 80)
        told = is_refused(mallory, "boost-059", "TooMany")
        mallory.delete_policies()
        return [told]
    return attack


def flood_of_policies(mallory):
    def attack():
        ends, made = time.monotonic() + FLOOD_S, 0
        while time.monotonic() < ends:
            mallory.policy(f"flood-{made:05}", 20 + made % 150, selector={"matchLabels": {"app": str(made)}})
            made += 1
        told = is_refused(mallory, f"flood-{min(made - 1, 300):05}", "TooMany")
        mallory.delete_policies()
        return [told, (f"{made} policies in {FLOOD_S} s are many", made >= 300, str(made))]
    return attack


def a_status_from_the_future(mallory):
    def attack():
        mallory.policy("long", 90, "10m")
        status = lambda: mallory.ask("GET", f"{mallory.policies()}/long")[1].get("status") or {}
        wait_until(lambda: "expiresAt" in status(), PATIENCE_S, 0.2)
        first = status()["expiresAt"]
        mallory.patch_status("long", activeSince="2099-01-01T00:00:00Z", expiresAt="2099-01-02T00:00:00Z",
                             clock={"bootID": "another", "endMs": 1 << 52})
        back = wait_until(lambda: abs(parse_time(status()["expiresAt"]) - parse_time(first)) <= SECOND, PATIENCE_S, 0.2)
        mallory.delete_policies()
        return [("the status is what it was", back, f"{first}")]
    return attack


async def what_a_tenant_writes_changes_nothing_for_others(checks):
    if not (siege := begin(checks, "what a tenant writes", "siege")):
        return
    mallory = siege.mallory = Writer(siege.rig.cluster)
    siege.attack(checks, "nothing yet", lambda: None)
    siege.attack(checks, "policies and statuses of others", other_namespaces(mallory, siege))
    siege.attack(checks, "objects that cannot be read", what_cannot_be_read(mallory))
    siege.attack(checks, "cgroups of others", cgroups_of_others(mallory, siege))
    siege.attack(checks, "names and services", hostile_texts(mallory, siege))
    siege.attack(checks, "many boosts", flood_of_boosts(mallory))
    siege.attack(checks, "a status from the future", a_status_from_the_future(mallory))
    siege.attack(checks, "many policies", flood_of_policies(mallory))
    end(checks, siege)


CASES = [what_a_tenant_writes_changes_nothing_for_others]
