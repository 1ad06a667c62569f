# SPDX-License-Identifier: Apache-2.0
"""The cases.  A module lists its own in CASES; those of one module run at the same time unless it says ONE_BY_ONE.
One that has no agent says NEEDS_KERNEL = False: it runs without BPF and without root, too."""

import asyncio
import time

from rubato import pprof

SECOND = 1_000_000_000


async def until(true, timeout_s, pause_s=0.05):
    """Poll until true() is; its value, or the last false one when time is over."""
    end = time.monotonic() + timeout_s
    while not (value := true()) and time.monotonic() < end:
        await asyncio.sleep(pause_s)
    return value


async def sleep_to(start_ns, seconds):
    """Sleep until that many seconds after start_ns (CLOCK_REALTIME)."""
    await asyncio.sleep(max(0, (start_ns - time.time_ns()) / SECOND + seconds))


def time_at(profiles, rate_hz):
    """Seconds that were sampled at a rate, by the profiles' own durations."""
    return sum(p.duration_ns for p in profiles if p.rate_hz == rate_hz) / SECOND


ENOUGH_CPU_S = 4


def had_enough_cpu(checks, sentence, pods):
    """A container that got next to no CPU, because the machine was busy with something else, has too few ticks to
    judge by: then the check is skipped, and says so."""
    kernel = sum(pod.cgroup.cpu_seconds() for pod in pods) / len(pods)
    if kernel < ENOUGH_CPU_S:
        checks.skip(sentence, f"the machine is too busy: a container got {kernel:.1f} s of CPU, not {ENOUGH_CPU_S} s")
    return kernel >= ENOUGH_CPU_S


def compare_accounts(checks, sentence, profiles, pods, percent):
    """The CPU time in the profiles is the kernel's.  It may be more by what the host took from the machine meanwhile, which
    need not have hit all alike."""
    ours, kernel = pprof.cpu_seconds(profiles), sum(pod.cgroup.cpu_seconds() for pod in pods)
    stolen = max(pod.cgroup.stolen_share() for pod in pods)
    ratio = ours / kernel if kernel else float("inf")
    seen = f"{ours:.2f} of {kernel:.2f}, {100 * (ratio - 1):+.1f} %" + f"; the host took {100 * stolen:.0f} %" * (stolen > 0.01)
    checks.check(sentence, 1 - percent / 100 <= ratio <= (1 + percent / 100) * (1 + 2 * stolen), seen)


def accounts_agree(checks, sentence, profiles, pod, percent=5):
    if had_enough_cpu(checks, sentence, [pod]):
        compare_accounts(checks, sentence, profiles, [pod], percent)
