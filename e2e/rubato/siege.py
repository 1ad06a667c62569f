# SPDX-License-Identifier: Apache-2.0
"""Three namespaces that want to be left alone while a fourth attacks, and what must not change for them.

alice has a policy of 40 Hz, bob has none (19 Hz), carol a boost of 100 Hz.  What the kernel samples is read from its maps and
from the profiles, and compared with the kernel's own account of each cgroup."""

import bisect
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

from . import bpfmaps, observe, pprof, scope, steal
from .attacker import Attacker
from .daemons import wait_until
from .kube_rig import KubeRig
from .kube_watcher import parse_time
from .rig import policy

SECOND = 1_000_000_000
RATES = {"alice": 40, "bob": 19, "carol": 100}
POLICIES = {"alice": "work", "carol": "boost"}
WINDOW_S = 2
DUTY = 12
BASE_HZ = 107
LAG_S = 0.05
BYSTANDER = """
import time
while True:
    due = time.monotonic() + 0.1
    time.sleep(0.1)
    print(time.time_ns(), time.monotonic() - due, flush=True)
"""


class Accounts:
    """The kernel's account of some cgroups at every moment; a thread of its own looks on."""

    def __init__(self, groups):
        self._groups, self._times, self._used = groups, [], []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while all(os.path.exists(group.dir) for group in self._groups.values()):
            try:
                used = {name: group.cpu_seconds() for name, group in self._groups.items()}
            except OSError:
                return
            self._times.append(time.time_ns())
            self._used.append(used)
            time.sleep(0.05)

    def _at(self, name, time_ns):
        i = min(max(1, bisect.bisect(self._times, time_ns)), len(self._times) - 1)
        (t0, u0), (t1, u1) = ((self._times[j], self._used[j][name]) for j in (i - 1, i))
        return u0 + (u1 - u0) * (time_ns - t0) / (t1 - t0)

    def between(self, name, begin_ns, end_ns):
        return self._at(name, end_ns) - self._at(name, begin_ns)


class Lags:
    """How late the loops of both daemons were, and a process that does nothing but sleep: what the machine does to all."""

    def __init__(self, *daemons):
        self._most = {daemon.name: 0 for daemon in daemons}
        self._daemons = daemons
        for daemon in daemons:
            daemon.metrics = self._noting(daemon, daemon.metrics)
        self._bystander = subprocess.Popen([sys.executable, "-c", BYSTANDER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                           text=True)
        scope.on_exit(self.stop)
        self._late = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _noting(self, daemon, metrics):
        """Each look at the metrics begins the greatest lag anew."""
        name = f"{daemon.name.replace('-', '_')}_loop_lag_max_seconds"

        def look():
            seen = metrics()
            self._most[daemon.name] = max(self._most[daemon.name], seen.get(name, 9))
            return seen
        return look

    def _listen(self):
        for line in self._bystander.stdout:
            time_ns, late = line.split()
            self._late.append((int(time_ns), float(late)))

    def stop(self):
        self._bystander.kill()
        self._bystander.wait()

    def begin(self):
        self.since(0)
        self._most = dict.fromkeys(self._most, 0)
        return time.time_ns()

    def since(self, began_ns):
        """(greatest lag by daemon, the bystander's), seconds."""
        for daemon in self._daemons:
            daemon.metrics()
        return dict(self._most), max((late for time_ns, late in self._late if time_ns >= began_ns), default=0)


def slack_s(kernel_s, stolen):
    """How far the CPU time in profiles may be from the kernel's account: of 107 ticks a second so many are seen, give or take
    four standard deviations, and the host's part may have hit one alone."""
    return 4 * (kernel_s / BASE_HZ) ** 0.5 + (0.05 + 2 * stolen) * kernel_s


def difference(before, now):
    """What of a status is another, in short."""
    for key in sorted({*before, *now} - {"conditions"}):
        if before.get(key) != now.get(key):
            yield f"{key}: {before.get(key)} -> {now.get(key)}"
    for old, new in zip(before.get("conditions", []), now.get("conditions", [])):
        if old != new:
            yield f"{old} -> {new}"


class Siege:
    def __init__(self, name, boost="130s", **how):
        self.rig = KubeRig(name, window=f"{WINDOW_S}s", **how)
        self.rig.start()
        self.agent, self.controller = self.rig.agent, self.rig.controller
        self.rig.namespace("mallory")
        self.mallory = Attacker(self.rig.cluster)
        self.pods = {ns: self.rig.pod(ns, "one").burn(DUTY) for ns in RATES}
        self.rig.cluster.apply(policy("alice", "work", RATES["alice"]))
        self.rig.boost("carol", "boost", RATES["carol"], boost)
        self.log = bpfmaps.RateLog(bpfmaps.SampleRows(self.agent.process.pid))
        self.accounts = Accounts({ns: pod.cgroup for ns, pod in self.pods.items()})
        self.lags = Lags(self.agent, self.controller)
        self._profiles, self._before, self._begun_ns = {}, steal.reading(), time.time_ns()
        if not wait_until(self._in_force, 20):
            raise RuntimeError(f"the town is not as it should be: {self._rates()}")
        self.statuses = {ns: self.rig.status(ns, policy) for ns, policy in POLICIES.items()}

    def _rates(self, since_ns=0):
        since_ns = since_ns or time.time_ns() - 3 * SECOND
        return {ns: self.log.rates(pod.cgroup.id, since_ns) for ns, pod in self.pods.items()}

    def _in_force(self):
        return self._rates() == {ns: [hz] for ns, hz in RATES.items()} and all(
            self.rig.condition(ns, policy, "Programmed") == "True" for ns, policy in POLICIES.items())

    def their_profiles(self, begin_ns, end_ns):
        """Of the three, of windows that lie between; each file is read once."""
        for namespace in RATES:
            for where, _, names in os.walk(os.path.join(self.agent.profiles, namespace)):
                for path in (os.path.join(where, name) for name in names if name.endswith(".pb.gz")):
                    self._profiles[path] = self._profiles.get(path) or pprof.Profile(path)
        return [p for p in self._profiles.values() if p.time_ns >= begin_ns and p.end_ns <= end_ns]

    def attack(self, checks, what, doing, quiet_s=0.5):
        """doing() is done; after it and while it was done nothing was other than before for the three."""
        seen = SimpleNamespace(what=what, before=steal.reading(), began_ns=self.lags.begin())
        told = doing()
        time.sleep(quiet_s)
        wait_until(lambda: self._windows(seen.began_ns) >= 1, 3 * WINDOW_S + 2, 0.2)
        seen.ended_ns = time.time_ns()
        self._judge_rates(checks, seen)
        self._judge_profiles(checks, seen)
        self._judge_statuses(checks, seen)
        self._judge_lag(checks, seen)
        for sentence, good, detail in told or []:
            checks.check(f"{what}: {sentence}", good, detail)

    def _windows(self, began_ns):
        """Whole ones that all three have profiles of."""
        got = self.their_profiles(began_ns, time.time_ns())
        return min(sum(p.namespace == ns for p in got) for ns in RATES)

    def _judge_rates(self, checks, seen):
        rates, told = self._rates(seen.began_ns), observe.applied_rates(self.agent.metrics())
        checks.check(f"{seen.what}: the others' rates in the kernel are as before",
                     rates == {ns: [hz] for ns, hz in RATES.items()} and {ns: told.get(ns) for ns in RATES} == RATES,
                     f"{rates}, the agent says {told}")

    def _judge_profiles(self, checks, seen):
        got, bad = self.their_profiles(seen.began_ns, seen.ended_ns), []
        stolen = steal.share_since(seen.before)
        for namespace in RATES:
            mine = [p for p in got if p.namespace == namespace]
            ours = pprof.cpu_seconds(mine)
            kernel = sum(self.accounts.between(namespace, p.time_ns, p.end_ns) for p in mine)
            strangers = {name for name in pprof.cumulative(mine) if name.startswith("mallory_")}
            if not mine or abs(ours - kernel) > slack_s(kernel, stolen) or strangers or {p.container for p in mine} != {"app"}:
                bad.append(f"{namespace}: {len(mine)} profiles, {ours:.2f} of {kernel:.2f} s, {strangers}")
        checks.check(f"{seen.what}: the others' profiles arrive, of their own CPU time", not bad, "; ".join(bad) or f"{len(got)} profiles")

    def _judge_statuses(self, checks, seen):
        now = {ns: self.rig.status(ns, policy) for ns, policy in POLICIES.items()}
        other = [f"{ns}: {text}" for ns in POLICIES for text in difference(self.statuses[ns], now[ns])]
        checks.check(f"{seen.what}: the others' statuses and the boost's end are as before", not other, "; ".join(other))

    def _judge_lag(self, checks, seen):
        lag, bystander = self.lags.since(seen.began_ns)
        stolen = steal.share_since(seen.before)
        worst = max(lag.values())
        quiet = stolen < 0.02 and bystander < 0.01
        how = f"{', '.join(f'{name} {1000 * late:.0f} ms' for name, late in lag.items())}; a process that only sleeps was " \
              f"{1000 * bystander:.0f} ms late, the host took {100 * stolen:.0f} %"
        sentence = f"{seen.what}: both loops were late by {1000 * LAG_S:.0f} ms at most" + ("" if quiet else " and what the machine took")
        checks.check(sentence, worst <= LAG_S + (0 if quiet else 2 * bystander), how)

    def judge_all(self, checks):
        """The whole time."""
        stolen, seen = steal.share_since(self._before), []
        got = self.their_profiles(self._begun_ns, time.time_ns())
        for namespace in RATES:
            mine = [p for p in got if p.namespace == namespace]
            ours, kernel = pprof.cpu_seconds(mine), sum(self.accounts.between(namespace, p.time_ns, p.end_ns) for p in mine)
            covered_s = sum(p.duration_ns for p in mine) / SECOND
            seen.append((abs(ours - kernel) <= slack_s(kernel, stolen) and covered_s > 0.9 * (time.time_ns() - self._begun_ns) / SECOND - 5,
                         f"{namespace}: {ours:.2f} of {kernel:.2f} s, {covered_s:.0f} s covered"))
        checks.check("all in all the others' profiles have their CPU time, and no window is missing", all(good for good, _ in seen),
                     "; ".join(text for _, text in seen))

    def await_the_boosts_end(self, checks):
        end_ns = parse_time(self.statuses["carol"]["expiresAt"])
        checks.check("the attacks were over before carol's boost was", time.time_ns() < end_ns,
                     f"{(end_ns - time.time_ns()) / SECOND:.0f} s before")
        time.sleep(max(0, (end_ns - time.time_ns()) / SECOND + 2.5))
        carol = self.pods["carol"].cgroup.id
        checks.near("carol's boost ends in time, by the kernel's last sample of 100 Hz",
                    (self.log.last_at(carol, RATES["carol"]) - end_ns) / SECOND, 0, 1.5, " s")
        rates = self.log.rates(carol, time.time_ns() - SECOND)
        checks.check("... and she is at 19 Hz again", rates == [19], str(rates))

    def finish(self, checks):
        self.log.stop()
        self.lags.stop()
        statuses = self.rig.finish()
        for daemon, status in zip((self.agent, self.controller), statuses):
            checks.check(f"{daemon.name} ends well and says nothing of memory", status == 0 and not daemon.sanitizer_report(),
                         f"{status} {daemon.sanitizer_report()}")
