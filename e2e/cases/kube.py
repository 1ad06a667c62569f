# SPDX-License-Identifier: Apache-2.0
"""From `kubectl apply` to the kernel and back, through a real API server.

What the kernel does is read from its own maps (RateLog) and from the written profiles, never from what a daemon says;
what the daemons say of it, by `kubectl get`, must be the same."""

import asyncio
import re
import signal
import time

from rubato import bpfmaps, observe, pprof, tools
from rubato.api_server import Refused
from rubato.kube_rig import USER, KubeRig
from rubato.kube_watcher import Watcher, kstatus, parse_time, truths
from . import SECOND, sleep_to, until

ONE_BY_ONE = True
BASE, HIGH, LOW = 19, 100, 50
HZ19 = 52_631_579
PATIENCE_S = 15
IDLE_S = 30
AWAY_S, CATCH_UP_S = 20, 10
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Stage:
    """A rig, and a log of what its kernel does that goes on by itself."""

    def __init__(self, name, **how):
        self.rig = KubeRig(name, **how)
        self.watcher = self.log = None

    async def start(self):
        await asyncio.to_thread(self.rig.start)
        self.log = bpfmaps.RateLog(bpfmaps.SampleRows(self.rig.agent.process.pid))

    async def kubectl(self, *argv):
        return await asyncio.to_thread(self.rig.server.kubectl, *argv)

    async def pod(self, namespace, name, duty=6, **how):
        pod = await asyncio.to_thread(self.rig.pod, namespace, name, **how)
        return pod.burn(duty)

    async def boost(self, namespace, name, hz, duration, **spec):
        await asyncio.to_thread(self.rig.boost, namespace, name, hz, duration, **spec)

    async def policy(self, namespace, name):
        return await asyncio.to_thread(self.rig.policy, namespace, name)

    async def until_status(self, namespace, name, true, timeout_s=PATIENCE_S):
        """Poll until true(status); the whole policy, as it was at last."""
        end = time.monotonic() + timeout_s
        while True:
            policy = await self.policy(namespace, name)
            if true(policy.get("status", {})) or time.monotonic() > end:
                return policy
            await asyncio.sleep(0.1)

    async def until_rates(self, pod, *rates, timeout_s=5):
        """Wait until the kernel samples a pod at exactly these rates for a while.  Returns whether it does."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            await asyncio.sleep(0.2)
            if self.log.rates(pod.cgroup.id, time.time_ns() - SECOND) == list(rates):
                return True
        return False

    async def finish(self):
        self.log.stop()
        return await asyncio.to_thread(self.rig.finish)


async def columns_say(checks, stage, when, namespace, name, **wanted):
    seen = await asyncio.to_thread(stage.rig.columns, namespace, name)
    checks.check(f"{when}: kubectl get profpol says {wanted}",
                 {key: seen.get(key) for key in wanted} == {key: str(value) for key, value in wanted.items()}, str(seen))
    return seen


def conditions_say(checks, when, policy, current="Current", **wanted):
    seen, meta, status = truths(policy), policy["metadata"], policy.get("status", {})
    checks.check(f"{when}: conditions say {wanted} of generation {meta['generation']}, and kstatus {current}",
                 {key: seen.get(key) for key in wanted} == {key: str(value) for key, value in wanted.items()}
                 and status.get("observedGeneration") == meta["generation"] and kstatus(policy) == current,
                 f"{seen}, observed {status.get('observedGeneration')}, {kstatus(policy)}")


def targets(status):
    return status.get("targets", {}).get("pods"), status.get("agents", {}).get("applied")


async def agents_that_do_not_answer(stage, checks):
    """Nothing says that the rate is raised before the kernel has it."""
    when, pod = "an agent that does not answer", stage.pods["payments"]
    stage.rig.agent.process.send_signal(signal.SIGSTOP)
    began, cpu_s = time.time_ns(), pod.cgroup.cpu_seconds()
    await stage.boost("payments", "inc-4211", HIGH, "20s", reason="INC-4211")
    policy = await stage.until_status("payments", "inc-4211", lambda s: s.get("agents"))
    conditions_say(checks, when, policy, "InProgress", Accepted=True, Programmed=False, Ready=False, Expired=False)
    await columns_say(checks, stage, when, "payments", "inc-4211",
                      RATE=HIGH, EFFECTIVE=HIGH, APPLIED=0, AGENTS=1, READY=False, REASON="Pending")
    waited = await asyncio.gather(stage.kubectl("-n", "payments", "wait", "--for=condition=Programmed", "--timeout=1s",
                                                "profpol/inc-4211"), return_exceptions=True)
    checks.check(f"{when}: kubectl wait waits", isinstance(waited[0], Refused), str(waited[0]))
    seen = await until(lambda: stage.log.rates(pod.cgroup.id, began), 1)
    checks.check(f"{when}: the kernel goes on at 19 Hz", seen == [BASE], f"{seen}, {pod.cgroup.cpu_seconds() - cpu_s:.2f} s of CPU")
    stage.rig.agent.process.send_signal(signal.SIGCONT)


async def raised_and_restored(stage, checks):
    pod, where = stage.pods["payments"], ("payments", "inc-4211")
    said = await stage.kubectl("-n", "payments", "wait", "--for=condition=Programmed", "--timeout=15s", "profpol/inc-4211")
    checks.check("kubectl wait --for=condition=Programmed comes back", "condition met" in said, said.strip())
    begun_ns = time.time_ns()
    policy = await stage.policy(*where)
    conditions_say(checks, "raised", policy, Accepted=True, Programmed=True, Ready=True, Expired=False)
    expires = policy["status"]["expiresAt"]
    await columns_say(checks, stage, "raised", *where, RATE=HIGH, EFFECTIVE=HIGH, APPLIED=1, AGENTS=1, EXPIRES=expires,
                      READY=True, REASON="Confirmed")
    checks.check("raised: the agent says what the kernel has, of this namespace only",
                 observe.applied_rates(stage.rig.agent.metrics()).get("payments") == HIGH,
                 str(observe.applied_rates(stage.rig.agent.metrics())))
    await asyncio.sleep(5)
    checks.check("raised: the kernel samples it at 100 Hz and no other rate",
                 stage.log.rates(pod.cgroup.id, begun_ns) == [HIGH], str(stage.log.rates(pod.cgroup.id, begun_ns)))
    # A stratum of 10 ms now and then has no tick of the base comb of 107 Hz left: some 95 is right.
    checks.near("raised: samples for a second of CPU", stage.log.samples_per_cpu_second(pod.cgroup.id, begun_ns),
                HIGH, 20, " Hz")
    await restored(stage, checks, policy)


async def restored(stage, checks, policy):
    pod, where, status = stage.pods["payments"], ("payments", "inc-4211"), policy["status"]
    start_ns, end_ns = parse_time(status["activeSince"]), parse_time(status["expiresAt"])
    checks.check("expiresAt is 20 s after activeSince", end_ns - start_ns == 20 * SECOND)
    await stage.kubectl("-n", "payments", "wait", "--for=condition=Expired", "--timeout=30s", "profpol/inc-4211")
    checks.near("restored: the last sample of 100 Hz, against expiresAt",
                (stage.log.last_at(pod.cgroup.id, HIGH) - end_ns) / SECOND, 0, 1.5, " s")
    await stage.until_rates(pod, BASE)
    policy = await stage.policy(*where)
    conditions_say(checks, "restored", policy, Accepted=True, Programmed=False, Ready=True, Expired=True)
    await columns_say(checks, stage, "restored", *where, RATE=HIGH, EFFECTIVE=BASE, APPLIED=1, AGENTS=1,
                      EXPIRES=status["expiresAt"], READY=True, REASON="Expired")
    checks.check("restored: and the kernel's rate is 19 Hz again",
                 stage.log.rates(pod.cgroup.id, time.time_ns() - SECOND) == [BASE])
    events = await until(lambda: len(stage.rig.events("payments")) >= 2 and stage.rig.events("payments"), 5, 0.5)
    checks.check("kubectl get events tells that it was raised, then restored",
                 events == [("RateRaised", "inc-4211"), ("RateRestored", "inc-4211")], str(events))
    versions = len(stage.watcher.versions(*where))
    checks.check("the status was written a few times, not every pass", 3 <= versions <= 8, f"{versions} versions")


async def life(stage, checks):
    await agents_that_do_not_answer(stage, checks)
    stage.answers.set()
    await raised_and_restored(stage, checks)


async def patch(stage, name, spec):
    await stage.kubectl("-n", name, "patch", "profpol", "boost", "--type=merge", "-p", spec)


async def edited(stage, checks):
    one, two = stage.pods["edit-one"], stage.pods["edit-two"]
    await stage.boost("edit", "boost", HIGH, "120s")
    before = await stage.until_status("edit", "boost", lambda s: targets(s) == (2, 1))
    checks.check("edit: before it, both pods are at 100 Hz", await stage.until_rates(one, HIGH) and await stage.until_rates(two, HIGH))
    # Clocks in a status are of whole seconds.
    await sleep_to(parse_time(before["status"]["activeSince"]), 1.2)
    await patch(stage, "edit", f'{{"spec":{{"sampleRateHz":{LOW}}}}}')
    after = await stage.until_status("edit", "boost", lambda s: s.get("observedGeneration") == 2 and targets(s) == (2, 1))
    checks.check("edit: kubectl patch of the rate is in the kernel", await stage.until_rates(one, LOW) and await stage.until_rates(two, LOW))
    conditions_say(checks, "edit", after, Programmed=True, Ready=True)
    await columns_say(checks, stage, "edit", "edit", "boost", RATE=LOW, EFFECTIVE=LOW, APPLIED=1, AGENTS=1, READY=True)
    checks.check("edit: it begins anew", before["status"]["activeSince"] < after["status"]["activeSince"])
    await patch(stage, "edit", '{"spec":{"selector":{"matchLabels":{"app":"one"}}}}')
    after = await stage.until_status("edit", "boost", lambda s: s.get("observedGeneration") == 3 and targets(s) == (1, 1))
    checks.check("edit of the selector: who is left out is at 19 Hz again", await stage.until_rates(two, BASE))
    checks.check("edit of the selector: who is selected stays", await stage.until_rates(one, LOW))
    conditions_say(checks, "edit of the selector", after, Programmed=True, Ready=True)
    await stage.kubectl("-n", "edit", "label", "pod", "one", "app=other", "--overwrite")
    after = await stage.until_status("edit", "boost", lambda s: targets(s) == (0, 0))
    conditions_say(checks, "a pod that changes its label", after, Programmed=False, Ready=True)
    checks.check("a pod that changes its label: is at 19 Hz again", await stage.until_rates(one, BASE))


async def deleted(stage, checks):
    pod = stage.pods["delete"]
    await stage.boost("delete", "boost", HIGH, "120s")
    checks.check("delete: before it, the kernel is at 100 Hz", await stage.until_rates(pod, HIGH, timeout_s=10))
    await stage.kubectl("-n", "delete", "delete", "profpol", "boost")
    gone_ns = time.time_ns()
    checks.check("delete: the kernel is at 19 Hz again", await stage.until_rates(pod, BASE))
    late_s = (stage.log.last_at(pod.cgroup.id, HIGH) - gone_ns) / SECOND
    checks.check("delete: at once", late_s < 0.5, f"the last sample {late_s:+.2f} s after kubectl delete")
    await asyncio.sleep(1)
    checks.check("delete: no late status brings it back", await stage.policy("delete", "boost") == {})
    reasons = await until(lambda: len(stage.rig.events("delete")) >= 2 and stage.rig.events("delete"), 5, 0.5)
    checks.check("delete: events tell it too", reasons and reasons[-1] == ("RateRestored", "boost"), str(reasons))


async def pods_that_come_and_go(stage, checks):
    await stage.boost("pods", "boost", HIGH, "120s", selector={"matchLabels": {"app": "new"}})
    policy = await stage.until_status("pods", "boost", lambda s: s.get("targets"))
    conditions_say(checks, "no pod yet", policy, Programmed=False, Ready=True)
    await columns_say(checks, stage, "no pod yet", "pods", "boost", EFFECTIVE="", AGENTS=0, READY=True, REASON="NoTargets")
    pod = await stage.pod("pods", "one", labels={"app": "new"})
    policy = await stage.until_status("pods", "boost", lambda s: targets(s) == (1, 1))
    conditions_say(checks, "a new pod", policy, Programmed=True, Ready=True)
    await asyncio.sleep(2)
    seen = stage.log.rates(pod.cgroup.id)
    checks.check("a new pod is at 100 Hz from its first sample", seen == [HIGH], str(seen))
    await asyncio.to_thread(stage.rig.pod, "pods", "far", labels={"app": "new"}, node="node-b")
    policy = await stage.until_status("pods", "boost", lambda s: s.get("targets") == {"pods": 2, "nodes": 2})
    conditions_say(checks, "a pod where no agent is", policy, "InProgress", Programmed=False, Ready=False)
    await columns_say(checks, stage, "a pod where no agent is", "pods", "boost",
                      EFFECTIVE=HIGH, APPLIED=1, AGENTS=2, READY=False, REASON="Disconnected")
    await asyncio.to_thread(stage.rig.delete_pod, stage.rig.pods[-1])
    policy = await stage.until_status("pods", "boost", lambda s: targets(s) == (1, 1))
    conditions_say(checks, "that pod is gone", policy, Programmed=True, Ready=True)
    await asyncio.to_thread(stage.rig.delete_pod, pod)
    policy = await stage.until_status("pods", "boost", lambda s: targets(s) == (0, 0))
    conditions_say(checks, "no pod any more", policy, Programmed=False, Ready=True)


async def idle(stage, checks):
    """A boost is running and a continuous policy is in force."""
    await stage.boost("idle", "boost", HIGH, "10m", selector={"matchLabels": {"app": "one"}})
    await stage.boost("idle", "always", LOW, None)
    await stage.kubectl("-n", "idle", "wait", "--for=condition=Ready", "--timeout=15s", "profpol", "--all")
    await asyncio.sleep(3)
    metrics, before = stage.rig.controller.metrics(), [record["verb"] for record in stage.rig.server.audit(USER)]
    checks.check("the audit log has seen the controller's watches and writes", {"watch", "patch", "create"} <= set(before))
    await asyncio.sleep(IDLE_S)
    verbs = [record["verb"] for record in stage.rig.server.audit(USER)[len(before):]]
    checks.check(f"idle for {IDLE_S} s: no LIST, says the API server's audit log", not {"list", "get"} & set(verbs), str(verbs))
    checks.check(f"idle for {IDLE_S} s: no write", not WRITES & set(verbs), str(verbs))
    changed = [name for name, value in stage.rig.controller.metrics().items()
               if re.match(r"rubato_controller_(watch_lists|status_patches|kube_answers)_total", name) and value != metrics.get(name)]
    checks.check(f"idle for {IDLE_S} s: the controller counts the same", not changed, str(changed))
    checks.check("... and all the while the kernel samples at both rates",
                 stage.log.rates(stage.pods["idle"].cgroup.id, time.time_ns() - 10 * SECOND) == [HIGH])


async def begin(checks, name):
    """A Stage, or None where there is no API server to be had."""
    try:
        stage = await asyncio.to_thread(Stage, name)
    except tools.Missing as why:
        checks.skip("a real API server", str(why))
        return None
    await stage.start()
    stage.pods, stage.answers = {}, asyncio.Event()
    return stage


async def end(stage, checks):
    agent, controller = await stage.finish()
    checks.check("both daemons end with status 0", (agent, controller) == (0, 0),
                 f"{agent}, {controller}: {stage.rig.controller.last_lines(1)} {stage.rig.agent.last_lines(1)}")
    report = stage.rig.controller.sanitizer_report() or stage.rig.agent.sanitizer_report()
    checks.check("and no sanitizer says anything", not report, report)


async def a_boost_from_kubectl_to_the_kernel_and_back(checks):
    stage = await begin(checks, "kube")
    if not stage:
        return
    stage.watcher = Watcher(stage.rig.server)
    for key, namespace, name, duty, labels in (
            ("payments", "payments", "settlement-0", 60, None), ("search", "search", "query-0", 15, None),
            ("edit-one", "edit", "one", 8, {"app": "one"}), ("edit-two", "edit", "two", 8, {"app": "two"}),
            ("delete", "delete", "one", 8, None), ("idle", "idle", "one", 8, {"app": "one"})):
        stage.pods[key] = await stage.pod(namespace, name, duty, labels=labels)
    await asyncio.to_thread(stage.rig.namespace, "pods")
    await asyncio.sleep(1)

    async def after(scenario):
        await stage.answers.wait()
        await scenario(stage, checks)
    scenarios = [life(stage, checks), *map(after, (edited, deleted, pods_that_come_and_go))]
    for scenario, error in zip(("life", "edited", "deleted", "pods"), await asyncio.gather(*scenarios, return_exceptions=True)):
        if error:
            checks.check(scenario, False, repr(error))
    await idle(stage, checks)
    await judge(stage, checks)


async def judge(stage, checks):
    found = stage.watcher.faults()
    checks.check("all that was ever written of a policy is in order", not found, "; ".join(found[:3]))
    stage.watcher.stop()
    await end(stage, checks)
    quiet = stage.rig.profiles("search")
    checks.check("another namespace stays at 19 Hz all the time, by the kernel and by the profiles",
                 stage.log.rates(stage.pods["search"].cgroup.id) == [BASE] and {p.period for p in quiet} == {HZ19},
                 str(pprof.rates(quiet)))
    profiles = stage.rig.profiles("payments")
    checks.check("payments: the profiles are of 19, 100, and 19 Hz", pprof.rates(profiles) == [BASE, HIGH, BASE],
                 str(pprof.rates(profiles)))
    faults = {fault for p in stage.rig.profiles() for fault in p.faults()}
    checks.check("every profile meets the norms", not faults, "; ".join(sorted(faults)))


async def while_it_is_away(stage, checks, end_ns):
    """The API server is gone; a boost ends meanwhile, and another one does not."""
    pods, rig = stage.pods, stage.rig
    before = rig.agent.metrics().get("rubato_agent_control_connects_total")
    gone_ns = time.time_ns()
    await asyncio.to_thread(rig.server.stop_server, 2)
    checks.check("the API server goes away in the middle of a boost", gone_ns + 5 * SECOND < end_ns,
                 f"{(end_ns - gone_ns) / SECOND:.1f} s before its end")
    await sleep_to(max(gone_ns + AWAY_S * SECOND, end_ns + 3 * SECOND), 0)
    checks.near("nobody can be asked: the boost ends in time, by the kernel's last sample of 100 Hz",
                (stage.log.last_at(pods["short"].cgroup.id, HIGH) - end_ns) / SECOND, 0, 1.5, " s")
    checks.check("... and is at 19 Hz since",
                 stage.log.rates(pods["short"].cgroup.id, end_ns + 2 * SECOND) == [BASE])
    checks.check("... a longer one goes on at 100 Hz", stage.log.rates(pods["long"].cgroup.id, gone_ns) == [HIGH])
    checks.check("... another namespace stays at 19 Hz", stage.log.rates(pods["quiet"].cgroup.id) == [BASE])
    checks.check("... the agent stays connected",
                 rig.applied_agents() == 1 and rig.agent.metrics().get("rubato_agent_control_connects_total") == before)
    checks.check("... and the controller is ready or says why", rig.controller.alive() and rig.controller.get("/healthz") != "")
    await asyncio.to_thread(rig.server.start_server)
    return time.time_ns()


async def an_api_server_that_is_away_for_20_s(checks):
    stage = await begin(checks, "kube-away")
    if not stage:
        return
    for name in ("short", "long", "quiet"):
        stage.pods[name] = await stage.pod(name, "one", 8)
    await stage.boost("long", "boost", HIGH, "10m")
    await stage.boost("short", "boost", HIGH, "15s")
    short = await stage.until_status("short", "boost", lambda s: targets(s) == (1, 1))
    long = await stage.until_status("long", "boost", lambda s: targets(s) == (1, 1))
    conditions_say(checks, "before", short, Programmed=True, Ready=True)
    checks.check("before: the kernel is at 100 Hz", await stage.until_rates(stage.pods["short"], HIGH))
    back_ns = await while_it_is_away(stage, checks, parse_time(short["status"]["expiresAt"]))
    short = await stage.until_status("short", "boost", lambda s: truths({"status": s}).get("Expired") == "True", 40)
    took_s = (time.time_ns() - back_ns) / SECOND
    conditions_say(checks, "back", short, Expired=True, Programmed=False, Ready=True)
    checks.check(f"back: the status catches up within {CATCH_UP_S} s", took_s <= CATCH_UP_S, f"{took_s:.1f} s")
    await columns_say(checks, stage, "back", "short", "boost", EFFECTIVE=BASE, READY=True, REASON="Expired")
    after = await stage.policy("long", "boost")
    conditions_say(checks, "back: the longer one", after, Programmed=True, Ready=True, Expired=False)
    checks.check("back: the longer one ends when it was to end", after["status"]["expiresAt"] == long["status"]["expiresAt"])
    await stage.boost("quiet", "late", HIGH, "60s")
    soon = await stage.until_rates(stage.pods["quiet"], HIGH, timeout_s=CATCH_UP_S)
    checks.check("back: what is applied now is in the kernel soon", soon, "" if soon else stage.rig.controller.last_lines(20))
    events = await until(lambda: ("RateRestored", "boost") in stage.rig.events("short"), 25, 0.5)
    checks.check("back: the event of the end is told, late", events)
    await end(stage, checks)


CASES = [a_boost_from_kubectl_to_the_kernel_and_back, an_api_server_that_is_away_for_20_s]
