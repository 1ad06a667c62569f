# SPDX-License-Identifier: Apache-2.0
"""What a controller survives: being killed after any of its writes, an etcd compacted under its watch, a role that lacks
something.  A real API server, a real agent."""

import asyncio
import base64
import datetime
import json
import os
import time
import urllib.request

import yaml

from rubato import tools
from rubato.api_proxy import ApiProxy
from rubato.bpfmaps import SampleRows
from rubato.daemons import wait_until
from rubato.kube_rig import ROLE, SYSTEM, USER, KubeRig
from .restarts import FAKETIME

ONE_BY_ONE = True
SETTLED_S = 15


def make_rig(checks, what, name, **how):
    try:
        return KubeRig(name, **how)
    except tools.Missing as why:
        checks.skip(what, str(why))
        return None


def conditions(status):
    return {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", [])}


def ends(checks, rig):
    statuses = rig.finish()
    checks.check("both daemons end with status 0", statuses == (0, 0), str(statuses))


# --- killed after each write ---

BOOST_S, WRITES_AT_LEAST, WRITES_AT_MOST = 10, 4, 7


class Killer:
    """Kills the controller when the API server has done its Nth write, before it hears of it."""

    def __init__(self, rig):
        self.rig, self.at, self.seen, self.killed = rig, 0, [], False
        self.proxy = rig.through_proxy(self._on_write)

    def _on_write(self, number, method, path):
        self.seen.append(f"{method} {path.split('?')[0].rsplit('/', 2)[-2 if path.split('?')[0].endswith('status') else -1]}")
        if number != self.at:
            return True
        self.rig.controller.kill()
        self.killed = True
        return False

    def arm(self, number):
        self.proxy.reset()
        self.at, self.seen, self.killed = number, [], False


def boost_once(rig, killer, rows, pod, number):
    """A boost from its `kubectl apply` to its end; the controller is killed at its write `number` (0: not), and started again.
    Returns (status at the end, how often it was raised and restored by the Events, whether the kernel had its rate)."""
    name = f"boost-{number}"
    killer.arm(number)
    rig.boost("payments", name, 100 - number, f"{BOOST_S}s")
    raised, end = None, time.monotonic() + BOOST_S + SETTLED_S
    while time.monotonic() < end:
        if killer.killed and not rig.controller.alive():
            rig.controller.spawn()
        raised = raised or rows.wait_for_first(pod.cgroup.id, 100 - number, 0.2)
        if conditions(rig.status("payments", name)).get("Expired", ("", ""))[0] == "True" and (killer.killed or not number):
            break
    time.sleep(1)
    if killer.killed and not rig.controller.alive():
        rig.controller.spawn()  # it was the last write of all
        wait_until(rig.controller.ready, SETTLED_S)
        time.sleep(1)
    return rig.status("payments", name), counts(rig, name), raised


def counts(rig, name):
    text = rig.server.kubectl("-n", "payments", "get", "events.v1.events.k8s.io", "-o", "json")
    mine = [e for e in json.loads(text)["items"] if e["regarding"]["name"] == name]
    return {reason: sum((e.get("series") or {}).get("count", 1) for e in mine if e["reason"] == reason)
            for reason in ("RateRaised", "RateRestored")}


async def killed_after_each_write_it_converges(checks):
    if not (rig := make_rig(checks, "a controller killed after each of its writes", "kube-crash")):
        return
    killer = Killer(rig)
    rig.start()
    pod = rig.pod("payments", "p").burn(60)
    rows = SampleRows(rig.agent.process.pid)
    await asyncio.sleep(2)
    good, told, _ = await asyncio.to_thread(boost_once, rig, killer, rows, pod, 0)
    writes = killer.seen
    checks.check("not killed: raised once, restored once, Expired", told == {"RateRaised": 1, "RateRestored": 1}
                 and conditions(good).get("Expired") == ("True", "DurationOver"), f"{told}; writes: {writes}")
    checks.check("there are writes to be killed at", WRITES_AT_LEAST <= len(writes) <= WRITES_AT_MOST, str(len(writes)))
    for number in range(1, min(len(writes), WRITES_AT_MOST) + 1):
        status, told, raised = await asyncio.to_thread(boost_once, rig, killer, rows, pod, number)
        checks.check(f"killed after write {number}, {writes[number - 1]}: raised, and at last the same status",
                     killer.killed and raised and conditions(status) == conditions(good),
                     "" if conditions(status) == conditions(good) else f"{killer.killed} {raised} {conditions(status)}")
        checks.check("... no Event says it more than once more", max(told.values()) <= 2, str(told))
    checks.check("nothing is left at a raised rate", wait_until(lambda: not raised_still(rig, rows, pod), 5, 0.3))
    ends(checks, rig)


def raised_still(rig, rows, pod):
    return any(row.cgroup == pod.cgroup.id and row.rate_hz > 50 for row in rows.read())


# --- the role ---

def roles():
    """The ClusterRole, and the Role in the controller's own namespace."""
    with open(ROLE, encoding="utf-8") as text:
        return [item for item in yaml.safe_load(text)["items"] if item["kind"] in ("ClusterRole", "Role")]


def granted():
    """(group, resource, verb) of the roles."""
    return {(group, resource, verb) for role in roles() for rule in role["rules"] for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]}


def used(records):
    def name(ref):
        return ref["resource"] + (f"/{ref['subresource']}" if ref.get("subresource") else "")
    return {(r["objectRef"].get("apiGroup", ""), name(r["objectRef"]), r["verb"]) for r in records if "objectRef" in r}


def change_role(rig, change):
    """Apply the roles with those rules for which change(rule)."""
    for role in roles():
        rules = [rule for rule in role["rules"] if change(rule)]
        rig.server.kubectl("replace", "-f", "-", stdin=json.dumps(role | {"rules": rules}))


def exercise(rig):
    """Everything that the controller ever does with the API."""
    rig.cluster.apply({"apiVersion": "profiling.rubato.dev/v1alpha1", "kind": "ClusterProfilingPolicy", "metadata": {"name": "limit"},
                       "spec": {"limits": {"maxSampleRateHz": 60}}})
    rig.boost("payments", "boost", 100, "1m")
    wait_until(lambda: rig.programmed("payments", "boost"), SETTLED_S, 0.2)
    # Edited: the same Event once more, which is a PATCH of the first.
    for reason in ("still looking", "and still"):
        rig.boost("payments", "boost", 100, "1m", reason=reason)
        time.sleep(1)
        wait_until(lambda: rig.programmed("payments", "boost"), SETTLED_S, 0.2)
    rig.unboost("payments", "boost")
    rig.controller.stop()
    rig.controller.start(30)  # its second start is counted otherwise than the first
    wait_until(lambda: granted() <= used(rig.server.audit(USER)), SETTLED_S, 0.5)


def check_lacks(checks, rig, what, words, change):
    """A rule is taken away: the log and /readyz say which.  Then it is given back."""
    change_role(rig, change)
    rig.controller.stop()
    before = len(rig.controller.log_text())
    rig.controller.spawn()
    rig.boost("payments", "lacking", 40, "1m")
    said = wait_until(lambda: all(w in rig.controller.log_text()[before:] for w in words), SETTLED_S, 0.2)
    checks.check(f"a role without {what}: the log says so", said, "" if said else rig.controller.log_text()[before:][-600:])
    rig.server.kubectl("replace", "-f", ROLE)
    ready = wait_until(lambda: rig.controller.ready() and rig.programmed("payments", "lacking", 0), 60, 0.5)
    checks.check(f"a role with {what} again: all works without a restart", ready, "" if ready else rig.controller.last_lines(2))
    # The next one's status shall be news again.
    rig.unboost("payments", "lacking")


async def the_cluster_role_is_enough_and_no_more(checks):
    # Without WatchList, as before Kubernetes 1.34, resources are listed: the role must do for both.
    if not (rig := make_rig(checks, "the ClusterRole", "kube-role", server_extra=("--feature-gates=WatchList=false",))):
        return
    rig.start()
    rig.pod("payments", "p").burn(10)
    await asyncio.to_thread(exercise, rig)
    records = rig.server.audit(USER)
    forbidden = {(r["verb"], r["requestURI"]) for r in records if r.get("responseStatus", {}).get("code") in (401, 403)}
    checks.check("with exactly the ClusterRole nothing is forbidden", not forbidden, str(forbidden))
    checks.check("and it grants nothing that is not used", granted() <= used(records), str(granted() - used(records)))
    await asyncio.to_thread(check_lacks, checks, rig, "pods", ["/api/v1/pods", "forbidden"],
                            lambda rule: "pods" not in rule["resources"])
    await asyncio.to_thread(check_lacks, checks, rig, "the policies' status", ["status cannot be written", "profilingpolicies/status"],
                            lambda rule: "profilingpolicies/status" not in rule["resources"])
    await asyncio.to_thread(check_lacks, checks, rig, "the Lease", ["forbidden to get it", f"a Role in namespace {SYSTEM} must allow"],
                            lambda rule: "leases" not in rule["resources"])
    ends(checks, rig)


# --- starts ---

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/rubato-controller"
AHEAD_S = 3000  # the agent's token is for an hour


def epoch_of(rig):
    """As the Lease has it."""
    lease = rig.cluster.get(LEASE)
    created = lease["metadata"]["creationTimestamp"].replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(created).timestamp(), lease["spec"]["leaseTransitions"]


def check_obeyed(checks, sentence, rig, older):
    """The agent takes this start's word.  Returns its epoch."""
    good = wait_until(lambda: rig.applied_agents() == 1, SETTLED_S, 0.2)
    stale = [record for record in rig.agent.log_records() if "stale epoch" in str(record)]
    checks.check(f"{sentence}: the agent obeys", good and not stale, str(stale[-1:]) if stale else "")
    epoch = epoch_of(rig)
    checks.check("... and the epoch is newer", epoch > older, f"{older} -> {epoch}")
    return epoch


def start_again(rig, env=None):
    rig.controller.kill()
    rig.controller.env = env or {}
    rig.controller.start(30)


async def each_start_is_counted_in_the_lease(checks):
    if not (rig := make_rig(checks, "starts are counted", "kube-epoch")):
        return
    rig.start()
    epoch = check_obeyed(checks, "the first start", rig, (0, 0))
    checks.check("... and made the Lease", epoch[1] == 1, str(epoch))
    start_again(rig)
    start_again(rig)
    epoch = check_obeyed(checks, "killed and started twice at once", rig, epoch)
    ahead = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=AHEAD_S)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    rig.server.kubectl("-n", SYSTEM, "patch", "lease", "rubato-controller", "--type=merge", "-p",
                       json.dumps({"spec": {"acquireTime": ahead, "renewTime": ahead}}))
    if os.path.exists(FAKETIME):
        start_again(rig, {"LD_PRELOAD": FAKETIME, "FAKETIME": f"+{AHEAD_S}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        epoch = check_obeyed(checks, "started with a clock that is ahead", rig, epoch)
    else:
        checks.skip("started with a clock that is ahead", "needs libfaketime (Debian package faketime)")
    start_again(rig)
    epoch = check_obeyed(checks, "the Lease's times and the last start's clock were ahead", rig, epoch)
    rig.server.kubectl("-n", SYSTEM, "delete", "lease", "rubato-controller")
    start_again(rig)
    check_obeyed(checks, "the Lease was deleted", rig, epoch)
    rig.pod("payments", "p").burn(5)
    rig.boost("payments", "boost", 100, "30s")
    checks.check("... and plans are taken at once", wait_until(lambda: rig.programmed("payments", "boost"), SETTLED_S, 0.2))
    ends(checks, rig)


# --- compaction ---

def compact(server):
    """Everything but the last state of each key goes out of etcd."""
    def ask(path, body):
        question = urllib.request.Request(f"http://127.0.0.1:{server.etcd_port}/v3/kv/{path}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(question, timeout=10) as answer:
            return json.load(answer)
    revision = ask("range", {"key": base64.b64encode(b"/").decode()})["header"]["revision"]
    ask("compaction", {"revision": revision, "physical": True})


def check_steady(checks, rig, name):
    """A policy of another namespace is not written to while pods come and go on its node."""
    began = time.time()
    time.sleep(1)
    for _ in range(4):
        pod = rig.pod("busy", "p").burn(5)
        time.sleep(0.3)
        rig.delete_pod(pod)
    writes = [r["requestReceivedTimestamp"] for r in rig.server.audit(USER) if r["verb"] == "patch"
              and r["objectRef"].get("name") == name and since(r) > began]
    checks.check("a policy's status is not written while pods of others come and go", not writes, str(writes))


def since(record):
    return datetime.datetime.fromisoformat(record["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()


async def etcd_is_compacted_under_the_watch(checks):
    """The controller is cut off while the world changes, its history goes, and the API server, which remembers it, starts anew."""
    if not (rig := make_rig(checks, "etcd compacted under the watch", "kube-compact")):
        return
    proxy = rig.through_proxy()
    rig.start()
    pod, going = rig.pod("payments", "p", labels={"app": "a"}).burn(60), rig.pod("payments", "going").burn(5)
    rig.boost("payments", "boost", 100, "2m", selector={"matchLabels": {"app": "a"}})
    checks.check("before: the boost is Programmed", wait_until(lambda: rig.programmed("payments", "boost"), SETTLED_S))
    await asyncio.to_thread(check_steady, checks, rig, "boost")
    rows = SampleRows(rig.agent.process.pid)
    proxy.cut = True
    rig.delete_pod(going)
    fresh = rig.pod("payments", "fresh", labels={"app": "a"}).burn(60)
    for i in range(10):
        rig.server.kubectl("label", "node", "node-b", f"turn={i}", "--overwrite")
    rig.boost("payments", "second", 70, "2m", selector={"matchLabels": {"app": "none"}})
    compact(rig.server)
    rig.server.server.kill()
    rig.server.stop_server()
    await asyncio.to_thread(rig.server.start_server)
    proxy.cut = False
    checks.check("after: a pod that came meanwhile is sampled at the boost's rate", rows.wait_for_first(fresh.cgroup.id, 100, SETTLED_S))
    counted = wait_until(lambda: rig.status("payments", "boost").get("targets") == {"nodes": 1, "pods": 2}, SETTLED_S, 0.2)
    checks.check("the boost's status counts both pods and not the one that went", counted, str(rig.status("payments", "boost").get("targets")))
    checks.check("a policy of meanwhile has a status", wait_until(
        lambda: conditions(rig.status("payments", "second")).get("Ready") == ("True", "NoTargets"), SETTLED_S, 0.2))
    told = [r for r in rig.controller.log_records() if r.get("why") == "the version has expired"]
    checks.check("the watch was told that its version is gone", told, str(told[:1]))
    checks.check("the old pod is at the boost's rate", rows.wait_for_first(pod.cgroup.id, 100))
    ends(checks, rig)


CASES = [killed_after_each_write_it_converges, the_cluster_role_is_enough_and_no_more, each_start_is_counted_in_the_lease,
         etcd_is_compacted_under_the_watch]
