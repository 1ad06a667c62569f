# SPDX-License-Identifier: Apache-2.0
"""The cases.  A module lists its own in CASES; those of one module run at the same time unless it says ONE_BY_ONE."""

import asyncio
import time

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
