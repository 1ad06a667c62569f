#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of pushing: how many profiles a real backend is sent, what one costs, and what a backend that is away costs.

A backend that is away for ten minutes is played faster: as many profiles as 200 containers make in sixty windows of 10 s, one after
the other.  What the agent's sink keeps of them does not depend on how long it took."""

import json
import os
import subprocess
import sys

from rubato import scope, tools
from rubato.backends import Parca, Pyroscope
from rubato.daemons import BUILD, free_port
from rubato.figures import Figures

CONTAINERS = 200
WINDOWS = 60  # ten minutes of 10 s
PROFILES = 10000
QUEUE_MB, SPOOL_MB = 8, 64
MB = 1 << 20


def _load(sink, url, profiles, spool=None):
    seen = subprocess.run([os.path.join(BUILD, "bench", "push_load"), sink, url, str(profiles), str(CONTAINERS), *([spool] if spool else [])],
                          capture_output=True, text=True, timeout=300, check=False)
    if seen.returncode:
        print(f"push_load: {seen.stderr.strip()}")
        return {}
    return json.loads(seen.stdout)


def _pushed(figures, name, backend):
    backend.start().wait()
    load = _load(name, backend.url, PROFILES)
    backend.stop()
    if not load or load["dropped"]:
        print(f"{name}: {load or 'nothing'}")
        return
    figures.add(f"{name}_profiles_per_second", load["sent"] / load["seconds"], "1/s")
    figures.add(f"{name}_cpu_per_profile", 1e6 * load["cpu_seconds"] / load["sent"], "us")
    figures.add(f"{name}_bytes_per_profile", load["bytes"] / load["profiles"], "bytes")


def _away(figures):
    load = _load("pyroscope", f"http://127.0.0.1:{free_port()}", CONTAINERS * WINDOWS, scope.temp_dir("rubato-bench-spool-"))
    if not load:
        return
    figures.add("away_profiles", load["profiles"], "")
    figures.add("away_bytes", load["bytes"] / MB, "MB")
    figures.add("away_rss_growth", load["most_mb"] - load["before_mb"], "MB", QUEUE_MB + 8)
    figures.add("away_queue", load["queue_bytes"] / MB, "MB")
    figures.add("away_spool", load["spool_bytes"] / MB, "MB", SPOOL_MB)
    figures.add("away_kept", load["waiting"], "profiles")
    figures.add("away_dropped", load["dropped"], "profiles")
    figures.add("away_cpu_per_profile", 1e6 * load["cpu_seconds"] / load["profiles"], "us")


def main():
    scope.install()
    figures = Figures("sinks")
    try:
        _pushed(figures, "pyroscope", Pyroscope(**{"distributor.ingestion-rate-limit-mb": 10000, "distributor.ingestion-burst-size-mb": 10000}))
        _pushed(figures, "parca", Parca())
    except tools.Missing as why:
        print(f"without real backends: {why}", file=sys.stderr)
    _away(figures)
    figures.print()
    print(f"written to {figures.write()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
