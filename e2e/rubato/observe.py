# SPDX-License-Identifier: Apache-2.0
"""What the daemons tell about themselves, where a profile cannot show it."""

import re
import time


def applied_rates(metrics):
    """{namespace: Hz} that the agent has written into the kernel and read back."""
    rates = {}
    for name, value in metrics.items():
        found = re.fullmatch(r'rubato_agent_applied_rate_hz\{(?:.*,)?namespace="([^"]*)".*\}', name)
        if found:
            rates[found[1]] = int(value)
    return rates


def first_sample_ns(agent, namespace, rate_hz, after_ns):
    """CLOCK_REALTIME ns of the first sample that was taken at a new rate, or None."""
    for record in agent.log_records():
        if record.get("msg") == "first sample at a new rate" and record.get("namespace") == namespace \
                and record.get("rate_hz") == rate_hz and int(record["at_ns"]) > after_ns:
            return int(record["at_ns"])
    return None


def boost_end_ns(status):
    """When a boost ends (CLOCK_REALTIME ns), from its deadline on CLOCK_BOOTTIME; or None."""
    end_ms = status.get("clock", {}).get("endMs")
    if end_ms is None:
        return None
    return end_ms * 1_000_000 + time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
