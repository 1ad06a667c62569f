# SPDX-License-Identifier: Apache-2.0
"""What the daemons tell about themselves."""

import re
import time


def applied_rates(metrics):
    """{namespace: Hz} that the agent has written into the kernel and read back."""
    rates = {}
    for name, value in metrics.items():
        found = re.fullmatch(r'rubato_agent_sampling_frequency_hertz\{(?:.*,)?namespace="([^"]*)".*\}', name)
        if found:
            rates[found[1]] = int(value)
    return rates


def boost_end_ns(status):
    """When a boost ends (CLOCK_REALTIME ns), from its deadline on CLOCK_BOOTTIME; or None."""
    end_ms = status.get("clock", {}).get("endMs")
    if end_ms is None:
        return None
    return end_ms * 1_000_000 + time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
