#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of one node: how soon a boost is real, what a tick costs, what the agent costs."""

import json
import os
import subprocess
import sys
import time

from rubato import cgroups, scope
from rubato.bpfmaps import SampleRows, bpf_run_seconds, bpf_run_time_counted, map_bytes
from rubato.daemons import BUILD, wait_until
from rubato.figures import Figures, percentile
from rubato.kernel import missing
from rubato.rig import Rig, policy

BOOSTS = 50
CONTAINERS = 20
WINDOW_S = 15
MEASURE_S = 2 * WINDOW_S
MB = 1 << 20


def manifest_to_first_sample(figures):
    """From the rename of a manifest to the first sample taken at its rate, over many boosts."""
    rig = Rig("bench-latency", window="1s").start()
    pod = rig.pod("payments", "p").burn(100)
    time.sleep(3)
    rows, took = SampleRows(rig.agent.process.pid), []
    for i in range(BOOSTS):
        written = rig.boost("payments", f"boost-{i}", 100, "60s")
        first = rows.wait_for_first(pod.cgroup.id, 100)
        if first:
            took.append((first - written) / 1e6)
        rig.unboost("payments", f"boost-{i}")
        # Until no sample at that rate is left in the maps: the window must end, too.
        wait_until(lambda: all(row.rate_hz != 100 for row in rows.read()), 5)
        time.sleep(0.1 + 0.01 * (i % 10))  # at every phase of a tick and a window
    rows.close()
    rig.finish()
    figures.add("manifest_to_first_sample_p50", percentile(took, 50) if took else None, "ms")
    figures.add("manifest_to_first_sample_p99", percentile(took, 99) if took else None, "ms", 250)
    if len(took) < BOOSTS:
        print(f"only {len(took)} of {BOOSTS} boosts showed a first sample")


def bpf_tick(figures):
    """By the kernel's statistics, with a stack of 22 frames and cold caches: bench/bpf_tick.c."""
    seen = subprocess.run([os.path.join(BUILD, "bench", "bpf_tick")], capture_output=True, text=True, timeout=60)
    cost = json.loads(seen.stdout) if seen.returncode == 0 else {}
    if not cost:
        print(f"bpf_tick: {seen.stderr.strip()}")
    figures.add("bpf_tick_not_taken", cost.get("not_taken_us"), "us", 0.5)
    figures.add("bpf_tick_taken", cost.get("taken_us"), "us", 12)


def agent_cost(figures, hz, goals):
    """CPU, memory and maps with busy containers, all at one rate."""
    rig = Rig(f"bench-cost-{hz}", window=f"{WINDOW_S}s").start()
    for i in range(CONTAINERS):
        rig.pod("payments", f"p-{i}").burn(100)
    rig.write("policy", policy("payments", "all", hz))
    time.sleep(WINDOW_S + 3)  # steady: one window is written
    with bpf_run_time_counted():
        cpu, bpf, began = rig.agent.cpu_seconds(), bpf_run_seconds(rig.agent.process.pid), time.monotonic()
        time.sleep(MEASURE_S)
        took = time.monotonic() - began
        cpu, bpf = rig.agent.cpu_seconds() - cpu, bpf_run_seconds(rig.agent.process.pid) - bpf
    figures.add(f"agent_cpu_percent_{hz}hz", 100 * cpu / took, "% of one core", goals[0])
    figures.add(f"agent_bpf_percent_{hz}hz", 100 * bpf / took, "% of one core")
    figures.add(f"agent_rss_{hz}hz", rig.agent.resident_bytes() / MB, "MB", goals[1])
    figures.add(f"agent_maps_{hz}hz", map_bytes(rig.agent.process.pid) / MB, "MB", goals[2])
    rig.finish()


def main():
    scope.install()
    if why_not := missing():
        print(f"The bench cannot run here: {why_not}", file=sys.stderr)
        return 1
    cgroups.sweep()
    figures = Figures("boost")
    manifest_to_first_sample(figures)
    bpf_tick(figures)
    agent_cost(figures, 19, (1, 14, 12))
    agent_cost(figures, 100, (1, 21, 14))
    figures.print()
    print(f"written to {figures.write()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
