# SPDX-License-Identifier: Apache-2.0
"""A bench's figures: a table for people, build/bench/NAME.json for everything else."""

import json
import os
import platform
import re

from . import steal
from .daemons import BUILD


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read())[1])
    return {"cpus": os.cpu_count(), "cpu": model[1] if model else platform.machine(),
            "memory_mb": memory // 1024, "kernel": platform.release(),
            "load_before": round(os.getloadavg()[0], 2)}


def percentile(values, percent):
    """The nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def merge(figures, older):
    """These figures, and after them those of an earlier run whose names are not among them."""
    names = {figure["name"] for figure in figures}
    return figures + [figure for figure in older if figure["name"] not in names]


def _figures_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)["figures"]
    except FileNotFoundError:
        return []


class Figures:
    """shared: other benches write the same file; what this run did not measure stays in it."""

    def __init__(self, name, shared=False):
        self.name, self.shared, self.machine, self.figures = name, shared, machine(), []
        self.before = steal.reading()

    def add(self, name, value, unit, goal=None, peer=None):
        self.figures.append({"name": name, "value": None if value is None else round(value, 3), "unit": unit,
                             "goal": goal, "peer": peer})

    def write(self):
        directory = os.path.join(BUILD, "bench")
        self.machine["host_took_percent"] = round(100 * steal.share_since(self.before), 1)
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, f"{self.name}.json")
        figures = merge(self.figures, _figures_of(path)) if self.shared else self.figures
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"machine": self.machine, "figures": figures}, file, indent=1)
            file.write("\n")
        return path

    def print(self):
        print(f"{'FIGURE':<34} {'VALUE':>10} {'GOAL':>8} {'PEER':>8}  UNIT")
        for figure in self.figures:
            row = ["-" if figure[key] is None else f"{figure[key]:g}" for key in ("value", "goal", "peer")]
            print(f"{figure['name']:<34} {row[0]:>10} {row[1]:>8} {row[2]:>8}  {figure['unit']}")
