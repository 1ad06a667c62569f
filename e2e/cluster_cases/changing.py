# SPDX-License-Identifier: Apache-2.0
"""What a platform team does in the middle of somebody's boost: roll out, delete, drain, upgrade.  The boost ends on time."""

import time

from rubato.kube_watcher import parse_time
from rubato.onenode.node_config import NODE
from rubato.onenode.stage import SYSTEM

BASE, HIGH = 19, 100
NS, NAME = "payments", "during"
SECOND = 1_000_000_000
LATE_S = 1.2
BOOST = "25s"


def _raised(stage, duration=BOOST):
    """A boost in force: when it ends, in ns."""
    stage.boost(NS, NAME, HIGH, duration)
    stage.kubectl("-n", NS, "wait", "--for=condition=Programmed", f"profpol/{NAME}", "--timeout=20s")
    return parse_time(stage.status(NS, NAME)["expiresAt"])


def _sleep_until(when_ns, plus_s=0.0):
    time.sleep(max(0.0, (when_ns - time.time_ns()) / SECOND + plus_s))


def _settlement(stage):
    return next(c for c in stage.containers(NS) if c.pod.startswith("settlement"))


def _gaps(log, cgroup, since_ns, until_ns):
    """The longest time without a sample, in s."""
    times = [since_ns, *(g.time_ns for g in log.of(cgroup, since_ns) if g.time_ns < until_ns), until_ns]
    return max(b - a for a, b in zip(times, times[1:])) / SECOND


def _check_end(checks, what, log, cgroup, end_ns):
    late_s = (log.last_at(cgroup, HIGH) - end_ns) / SECOND
    checks.near(f"{what}: the boost ends when it was to end", late_s, 0, LATE_S, " s")
    after = log.rates(cgroup, end_ns + 2 * SECOND)
    checks.check(f"{what}: 19 Hz since", after == [BASE], str(after))


def _without_a_controller(stage, checks, what, act, back):
    """`act` while a boost runs; sampling goes on, and the boost ends in time."""
    cgroup, log, end_ns = stage.cgroup_id(_settlement(stage)), stage.rate_log(), _raised(stage)
    acted_ns = time.time_ns()
    act()
    _sleep_until(end_ns, 4)
    log.stop()
    _check_end(checks, what, log, cgroup, end_ns)
    gap_s = _gaps(log, cgroup, acted_ns, end_ns)
    checks.check(f"{what}: samples all the time until then", gap_s < 2, f"longest pause {gap_s:.2f} s")
    back()
    checks.check(f"{what}: afterwards the agent is connected and has its plan", stage.until_agents("applied", 1, 40))
    status = stage.until_status(NS, NAME, lambda s: any(c["type"] == "Expired" and c["status"] == "True" for c in s.get("conditions", ())), 20)
    checks.check(f"{what}: the policy says Expired, and when it did", parse_time(status["expiresAt"]) == end_ns, status.get("expiresAt", ""))
    stage.unboost(NS, NAME)


def _rollout(stage, kind, name):
    def act():
        stage.kubectl("-n", SYSTEM, "rollout", "restart", f"{kind}/{name}")
        stage.kubectl("-n", SYSTEM, "rollout", "status", f"{kind}/{name}", "--timeout=60s")
    return act


def rolling_update_of_the_controller(stage, checks):
    _without_a_controller(stage, checks, "rolling update of the controller", _rollout(stage, "deployment", "rubato-controller"), lambda: None)


def the_controller_deleted(stage, checks):
    def act():
        stage.kubectl("-n", SYSTEM, "scale", "deployment/rubato-controller", "--replicas=0")
        stage.kubectl("-n", SYSTEM, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=controller", "--timeout=40s")

    def back():
        stage.kubectl("-n", SYSTEM, "scale", "deployment/rubato-controller", "--replicas=1")
        stage.kubectl("-n", SYSTEM, "rollout", "status", "deployment/rubato-controller", "--timeout=60s")
    _without_a_controller(stage, checks, "the controller is gone", act, back)


def a_node_drained(stage, checks):
    """DaemonSets stay on it, and so does what is excluded here: the workload that is looked at."""
    def act():
        stage.kubectl("drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=40s",
                      "--pod-selector=app notin (settlement)")

    def back():
        stage.kubectl("uncordon", NODE)
        stage.kubectl("-n", SYSTEM, "rollout", "status", "deployment/rubato-controller", "--timeout=60s")
        stage.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s")
    _without_a_controller(stage, checks, "the node is drained", act, back)


def rolling_update_of_the_agent(stage, checks):
    began_ns, cgroup, before = time.time_ns(), stage.cgroup_id(_settlement(stage)), stage.rate_log()
    end_ns = _raised(stage, "40s")
    time.sleep(2)
    _rollout(stage, "daemonset", "rubato-agent")()
    before.stop()
    after = stage.rate_log()
    stage.kubectl("-n", NS, "wait", "--for=condition=Programmed", f"profpol/{NAME}", "--timeout=20s")
    again_ns = time.time_ns()
    checks.check("rolling update of the agent: Programmed again before the boost ends", again_ns < end_ns, f"{(end_ns - again_ns) / SECOND:.1f} s before")
    _sleep_until(end_ns, 4)
    after.stop()
    _check_end(checks, "rolling update of the agent", after, cgroup, end_ns)
    first = after.of(cgroup)
    checks.check("rolling update of the agent: the new one is at 100 Hz from its first sample", first and first[0].rate_hz == HIGH)
    profiles = [p for p in stage.profiles(NS) if p.pod.startswith("settlement")]
    windows = sorted((p.time_ns, p.end_ns) for p in profiles if p.end_ns > began_ns)
    pauses = [(b[0] - a[1]) / SECOND for a, b in zip(windows, windows[1:])]
    big = [pause for pause in pauses if pause > 1]
    checks.check("... and no window is lost but the agent's own restart, which is one pause", len(big) <= 1,
                 f"pauses longer than 1 s between the windows: {[round(p, 1) for p in big]}")
    stage.figures.add("agent_restart_pause", max(pauses, default=0), "s")
    stage.unboost(NS, NAME)


def helm_upgrade(stage, checks):
    cgroup = stage.cgroup_id(_settlement(stage))
    end_ns = _raised(stage, "60s")
    stage.upgrade("--set", "agent.config.window=5s", "--set", "controller.config.boost-ttl=60s")
    checks.check("helm upgrade --wait with changed values succeeds in the middle of a boost", time.time_ns() < end_ns)
    log = stage.rate_log()
    time.sleep(3)
    checks.check("... and the boost goes on", log.rates(cgroup) == [HIGH], str(log.rates(cgroup)))
    _sleep_until(end_ns, 4)
    log.stop()
    _check_end(checks, "helm upgrade", log, cgroup, end_ns)
    stage.unboost(NS, NAME)
    stage.rollback()
    checks.check("helm rollback --wait succeeds", stage.until_agents("applied", 1, 40))


CASES = [rolling_update_of_the_controller, the_controller_deleted, a_node_drained, rolling_update_of_the_agent, helm_upgrade]
