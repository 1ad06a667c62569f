# SPDX-License-Identifier: Apache-2.0
"""Daemons that are killed, and clocks that jump: the boost ends when it should all the same."""

import asyncio
import os
import time

from rubato import pprof, scope
from rubato.observe import applied_rates
from rubato.rig import Rig
from . import SECOND, sleep_to, time_at, until

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


async def _boosted(name, duration, **how):
    """A rig whose one pod is boosted just now.  Returns it and when."""
    rig = Rig(name, **how).start()
    rig.pod("payments", "p").burn(12)
    await asyncio.sleep(3)
    return rig, rig.boost("payments", "boost", 100, duration)


def _ended(checks, sentence, rig, start, want_s, tolerance_s=1.0):
    span = pprof.span(rig.profiles("payments"), 100)
    checks.near(sentence, (span[1] - start) / SECOND if span else 0, want_s, tolerance_s, " s")


async def _reasons_until(rig, start, seconds):
    """Every reason that the policy's Programmed has until then."""
    reasons = set()
    while time.time_ns() < start + seconds * SECOND:
        for condition in rig.status("payments", "boost").get("conditions", []):
            if condition["type"] == "Programmed":
                reasons.add(condition["reason"])
        await asyncio.sleep(0.02)
    return reasons


async def controller_killed_and_restarted(checks):
    rig, start = await _boosted("restart", "12s")
    await sleep_to(start, 4)
    rig.controller.kill()
    await sleep_to(start, 6)
    rig.controller.spawn()
    reasons = await _reasons_until(rig, start, 9)
    checks.check("controller killed, started again: nobody is told that agents are missing, they come back",
                 reasons == {"Confirmed"}, str(reasons))
    checks.check("controller killed, started again: the policy is Programmed again",
                 rig.condition("payments", "boost", "Programmed") == "True")
    await sleep_to(start, 15)
    rig.finish()
    _ended(checks, "controller killed, started again: the boost ends at its original time", rig, start, 12)
    rates = pprof.rates(rig.profiles("payments"))
    checks.check("... and was not interrupted", rates == [19, 100, 19], str(rates))


async def controller_gone_dead_man(checks):
    rig, start = await _boosted("gone", "60s", boost_ttl="4s")
    await sleep_to(start, 6)
    rig.controller.kill()
    await sleep_to(start, 14)
    rig.finish()
    # News comes every third of the time to live; the last may be up to that old.
    _ended(checks, "controller gone: the agent drops back by itself within the time to live (4 s)", rig, start, 9, 1.6)


async def controller_gone_own_deadline(checks):
    rig, start = await _boosted("deadline", "10s", boost_ttl="30s")
    await sleep_to(start, 4)
    rig.controller.kill()
    await sleep_to(start, 13)
    rig.finish()
    _ended(checks, "controller gone: the agent ends the boost at its own deadline", rig, start, 10)


async def agent_killed_and_restarted(checks):
    rig, start = await _boosted("agent", "30s")
    await sleep_to(start, 6)
    rig.agent.kill()
    await sleep_to(start, 7)
    restarted = time.time_ns()
    rig.agent.spawn()
    await sleep_to(start, 14)
    rig.finish()
    after = [p for p in rig.profiles("payments") if p.time_ns >= restarted]
    first = next((p for p in after if p.rate_hz == 100), None)
    checks.check("agent killed, started again: at the right rate within a second",
                 first and first.time_ns - restarted < SECOND,
                 f"{(first.time_ns - restarted) / SECOND:.2f} s" if first else "never")
    checks.check("... and stays there", time_at(after, 19) < 1 and time_at(after, 100) > 5,
                 f"{time_at(after, 19):.1f} s at 19 Hz, {time_at(after, 100):.1f} s at 100 Hz")


async def _clock_jumps(checks, who):
    sentence = f"the {who}'s wall clock goes an hour forward and back"
    if not os.path.exists(FAKETIME):
        checks.skip(sentence, "needs libfaketime (Debian package faketime)")
        return
    offset = os.path.join(scope.temp_dir("rubato-clock-"), "offset")
    env = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": "1",
           "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set_clock(text):
        with open(offset + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(offset + ".new", offset)

    set_clock("+0s")
    rig, start = await _boosted(f"clock-{who}", "12s", **{"env" if who == "agent" else "controller_env": env})
    await sleep_to(start, 4)
    set_clock("+3600s")
    await sleep_to(start, 8)
    set_clock("+0s")
    await sleep_to(start, 15)
    rig.finish()
    profiles = rig.profiles("payments")
    checks.near(f"{sentence}: the boost lasts 12 s", time_at(profiles, 100), 12, 1, " s")
    # By the order in which files were written: the agent's own idea of the time is what jumped.
    profiles.sort(key=lambda p: os.stat(p.path).st_mtime_ns)
    checks.check("... and was not interrupted", pprof.rates(profiles) == [19, 100, 19], str(pprof.rates(profiles)))
    written = max(os.stat(p.path).st_mtime_ns for p in profiles if p.rate_hz == 100)
    # The last file of the boost is written at the end of its window of 2 s.
    checks.near("... and ends at its time", (written - start) / SECOND, 13, 2, " s")


async def controller_clock_jumps(checks):
    await _clock_jumps(checks, "controller")


async def agent_clock_jumps(checks):
    await _clock_jumps(checks, "agent")


async def node_that_vanishes_with_its_policy(checks):
    rig, _ = await _boosted("vanish", "60s", boost_ttl="60s")
    raised = await until(lambda: 100 in applied_rates(rig.agent.metrics()).values(), 5)
    began = time.monotonic()
    for name in ("policy-payments-boost", "pod-payments-p", "node"):
        rig.delete(name)
    ended = await until(lambda: 100 not in applied_rates(rig.agent.metrics()).values(), 10)
    checks.check("a node that vanishes with the policy ends its boost, long before it is taken for abandoned",
                 raised and ended, f"after {time.monotonic() - began:.1f} s")
    checks.check("... and its agent is told that the node is no more",
                 await until(lambda: "the node is no more" in rig.agent.log_text(), 5), rig.agent.last_lines(2))
    rig.finish()


CASES = [
    controller_killed_and_restarted, controller_gone_dead_man, controller_gone_own_deadline,
    agent_killed_and_restarted, controller_clock_jumps, agent_clock_jumps,
    node_that_vanishes_with_its_policy,
]
