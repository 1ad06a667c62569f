# SPDX-License-Identifier: Apache-2.0
"""What boosts do to rates, all in one controller and one agent, each case in a namespace of its own.

The evidence is always the written profiles: their periods and times, not what a daemon says of itself.
"""

import asyncio

from rubato import pprof
from rubato.rig import NODE, Rig
from . import SECOND, accounts_agree, compare_accounts, had_enough_cpu, sleep_to, until

HZ19, HZ100 = 52_631_579, 10_000_000


async def payments_and_search(rig, checks):
    payments, search = rig.pod("payments", "settlement-0"), rig.pod("search", "query-0")
    payments.cgroup.set_quota(0.5)
    search.cgroup.set_quota(0.3)
    payments.burn(100)
    search.burn(100)
    await asyncio.sleep(4)
    start = rig.boost("payments", "inc-4211", 100, "10s", reason="INC-4211")
    good = await until(lambda: rig.condition("payments", "inc-4211", "Programmed") == "True", 2)
    checks.check("payments: the policy says Programmed within two seconds", good)
    await sleep_to(start, 11.5)
    checks.check("payments: after its duration the policy says Expired",
                 rig.condition("payments", "inc-4211", "Expired") == "True")
    await sleep_to(start, 16)
    yield
    boosted = rig.profiles("payments")
    checks.check("payments: periods are 52,631,579, then 10,000,000, then 52,631,579 ns",
                 _periods(boosted) == [HZ19, HZ100, HZ19], str(_periods(boosted)))
    _boost_lasted(checks, "payments", boosted, 100, start, 0, 10)
    checks.check("search: never leaves 19 Hz", _periods(rig.profiles("search")) == [HZ19],
                 str(_periods(rig.profiles("search"))))
    for pod in (payments, search):
        accounts_agree(checks, f"{pod.namespace}: CPU is the kernel's within 5 %", rig.profiles(pod.namespace), pod)
    _shares(checks, boosted, payments)


def _periods(profiles):
    periods = []
    for profile in profiles:
        if not periods or periods[-1] != profile.period:
            periods.append(profile.period)
    return periods


def _shares(checks, profiles, pod):
    """The workload gives 70 % of its work to one function and 30 % to another."""
    sentence = "payments: two functions with known work show 70 to 30"
    if had_enough_cpu(checks, sentence, [pod]):
        names = pprof.flat(profiles)
        heavy, light = names["burn_heavy"], names["burn_light"]
        checks.near(sentence, 100 * heavy / max(1, heavy + light), 70, 5, " %")
    checks.check("payments: the stack reaches main's thread function through eight known callers",
                 any(s.count("burn_deeper") >= 8 and "worker" in s for p in profiles for s, _, _ in p.samples()))


def _boost_lasted(checks, name, profiles, hz, start_ns, first_s, last_s, tolerance_s=1.0):
    span = pprof.span(profiles, hz)
    if not checks.check(f"{name}: there are profiles of {hz} Hz", span):
        return
    checks.near(f"{name}: {hz} Hz begins when it should", (span[0] - start_ns) / SECOND, first_s, tolerance_s, " s")
    checks.near(f"{name}: {hz} Hz ends when it should", (span[1] - start_ns) / SECOND, last_s, tolerance_s, " s")


async def edit_starts_the_clock_again(rig, checks):
    rig.pod("edit", "p").burn(6)
    await asyncio.sleep(3)
    start = rig.boost("edit", "boost", 100, "10s")
    await sleep_to(start, 6)
    rig.boost("edit", "boost", 100, "10s", reason="still looking")
    await sleep_to(start, 19)
    yield
    _boost_lasted(checks, "edit during the boost", rig.profiles("edit"), 100, start, 0, 16)


async def delete_ends_it(rig, checks):
    rig.pod("delete", "p").burn(6)
    await asyncio.sleep(3)
    start = rig.boost("delete", "boost", 100, "60s")
    await sleep_to(start, 5)
    rig.unboost("delete", "boost")
    await sleep_to(start, 9)
    yield
    _boost_lasted(checks, "delete during the boost", rig.profiles("delete"), 100, start, 0, 5)


async def highest_of_two_wins(rig, checks):
    rig.pod("second", "p").burn(8)
    await asyncio.sleep(3)
    start = rig.boost("second", "high", 100, "10s")
    await sleep_to(start, 2)
    rig.boost("second", "low", 60, "13s")
    await sleep_to(start, 19)
    yield
    profiles = rig.profiles("second")
    checks.check("second boost: 19, 100, then what is left of the lower one, then 19",
                 pprof.rates(profiles) == [19, 100, 60, 19], str(pprof.rates(profiles)))
    _boost_lasted(checks, "second boost, lower", profiles, 60, start, 10, 15)


async def end_of_the_lower_changes_nothing(rig, checks):
    rig.pod("third", "p").burn(8)
    await asyncio.sleep(3)
    start = rig.boost("third", "low", 50, "10s")
    await sleep_to(start, 2)
    rig.boost("third", "high", 90, "13s")
    await sleep_to(start, 19)
    yield
    profiles = rig.profiles("third")
    checks.check("the end of the lower boost does not lower the higher",
                 pprof.rates(profiles) == [19, 50, 90, 19], str(pprof.rates(profiles)))
    _boost_lasted(checks, "the higher of two boosts", profiles, 90, start, 2, 15)


async def selector_matches_one_pod(rig, checks):
    rig.pod("selector", "one", labels={"app": "one"}).burn(6)
    rig.pod("selector", "two", labels={"app": "two"}).burn(6)
    await asyncio.sleep(3)
    start = rig.boost("selector", "boost", 100, "10s", selector={"matchLabels": {"app": "one"}})
    await sleep_to(start, 14)
    yield
    _boost_lasted(checks, "the selected pod", rig.profiles("selector", "one"), 100, start, 0, 10)
    others = rig.profiles("selector", "two")
    checks.check("the other pod of the namespace stays at 19 Hz", pprof.rates(others) == [19], str(pprof.rates(others)))


async def pod_created_during_the_boost(rig, checks):
    rig.namespace("during")
    await asyncio.sleep(3)
    start = rig.boost("during", "boost", 100, "15s")
    await sleep_to(start, 3)
    # As with a kubelet: the pod is scheduled, its cgroup made, its container's id told last.
    pod = rig.pod("during", "p", announce=False, make=False)
    scheduled = pod.manifest(NODE)
    del scheduled["status"]
    rig.write("pod-during-p", scheduled)
    await asyncio.sleep(1)
    pod.make().burn(8)
    await asyncio.sleep(0.3)
    rig.announce(pod)
    await sleep_to(start, 13)
    pod.cgroup.stop()
    yield
    profiles = rig.profiles("during")
    # What the container's clock had left over when the boost ended is a profile of its own, without samples.
    profiles = [p for p in profiles if set(pprof.flat([p])) != {"[unattributed]"}]
    checks.check("a pod created during the boost is at the boosted rate from its first samples",
                 pprof.rates(profiles) == [100], str(pprof.rates(profiles)))
    # Nine seconds at 8 % are some 80 ticks: enough to see a missing window, not more.
    compare_accounts(checks, "... and loses no CPU time", profiles, [pod], 15)


async def cgroup_before_the_controller_knows(rig, checks):
    pod = rig.pod("early", "p", announce=False)
    pod.cgroup.set_quota(0.35)
    pod.burn(100)
    await asyncio.sleep(3)
    rig.announce(pod)
    await asyncio.sleep(17)
    yield
    accounts_agree(checks, "a pod whose cgroup exists before the controller knows it loses no CPU time (5 %)",
                   rig.profiles("early"), pod)


SCENARIOS = [
    payments_and_search, edit_starts_the_clock_again, delete_ends_it, highest_of_two_wins,
    end_of_the_lower_changes_nothing, selector_matches_one_pod, pod_created_during_the_boost,
    cgroup_before_the_controller_knows,
]


async def boosts(checks):
    """Each scenario acts, yields when its workload is done, and judges when the agent has written all."""
    rig = Rig("boosts").start()
    running = [scenario(rig, checks) for scenario in SCENARIOS]
    acted = await asyncio.gather(*(anext(s) for s in running), return_exceptions=True)
    agent, controller = rig.finish()
    checks.check("the agent ends with status 0 on SIGTERM", agent == 0, f"{agent}: {rig.agent.last_lines(1)}")
    checks.check("the controller ends with status 0 on SIGTERM", controller == 0, f"{controller}")
    _every_file_is_sound(checks, rig)
    for scenario, error in zip(running, acted):
        if error is not None:
            checks.check(scenario.__name__, False, repr(error))
            continue
        await anext(scenario, None)


def _every_file_is_sound(checks, rig):
    profiles = rig.profiles()
    faults = {f for p in profiles for f in p.faults()}
    checks.check("every profile meets the norms", profiles and not faults, "; ".join(sorted(faults)) or f"{len(profiles)} files")
    sentence = "all pods together: CPU is the kernel's within 5 %"
    if had_enough_cpu(checks, sentence, [pod for pod in rig.pods if pod.namespace in ("payments", "search")]):
        ours = [p for p in profiles if p.pod in {pod.name for pod in rig.pods}]
        compare_accounts(checks, sentence, ours, rig.pods, 5)


CASES = [boosts]
