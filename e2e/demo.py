#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make demo: one namespace is raised to 100 Hz and drops back by itself, with real processes on the real kernel.

What it prints about CPU time is read from the written profiles (ours) and from cpu.stat (the kernel's), what it prints
about samples from the kernel's maps; of the workloads it knows nothing but how to start them.
"""

import json
import os
import shutil
import sys
import time

from rubato import cgroups, pprof, scope
from rubato.bpfmaps import Meter, SampleRows
from rubato.daemons import BUILD, REPO
from rubato.kernel import missing
from rubato.observe import applied_rates, boost_end_ns
from rubato.rig import NODE, Rig, tool
from rubato.screen import Screen

HOME = os.path.join(BUILD, "demo")
BEFORE_S, BOOST_S, AFTER_S = 6, 15, 6
DEFAULT_HZ = 19
HEADER = "NAMESPACE    WANTED   APPLIED   SAMPLES PER CPU-SECOND   CPU BY PROFILES   BY KERNEL"


class Service:
    """A program in a cgroup of its own, known to the controller as a pod by the cgroup's path."""

    def __init__(self, rig, namespace, pod, program, cpus):
        self.namespace, self.pod, self.program = namespace, pod, program
        self.cgroup = cgroups.Cgroup(f"{rig.root}/{namespace}-{pod}")
        self.has_quota = self.cgroup.set_quota(cpus)
        self.account = []  # (time in ns, CPU seconds) by the kernel
        rig.namespace(namespace)
        rig.write(f"pod-{namespace}-{pod}", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": namespace, "name": pod, "labels": {"app": pod},
                         "annotations": {"profiling.rubato.dev/cgroup": self.cgroup.path}},
            "spec": {"nodeName": NODE, "containers": [{"name": "app"}]},
        })

    def start(self):
        self.cgroup.run(tool(self.program), stdout=open(os.devnull, "wb"))

    def note_account(self):
        self.account.append((time.time_ns(), self.cgroup.cpu_seconds()))

    def cpu_kernel_until(self, when_ns):
        """The kernel's account at a moment of the past, between two notes."""
        before, after = (0, 0), None
        for note in self.account:
            if note[0] > when_ns:
                after = note
                break
            before = note
        if not after or not before[0]:
            return (after or before)[1]
        part = (when_ns - before[0]) / (after[0] - before[0])
        return before[1] + part * (after[1] - before[1])


class Demo:
    def __init__(self, screen):
        self.screen = screen
        shutil.rmtree(HOME, ignore_errors=True)
        os.makedirs(HOME)
        self.rig = Rig("demo", window="1s", home=HOME)
        self.services = [Service(self.rig, "payments", "settlement", "payments", 0.8),
                         Service(self.rig, "search", "query", "search", 0.6)]
        self.read = {}  # profiles read so far, by path
        self.written_ns = self.first_ns = self.meter = None
        self.quotas = all([service.has_quota for service in self.services])

    def run(self):
        say = self.screen.say
        self.rig.start()
        rows = SampleRows(self.rig.agent.process.pid)
        self.meter = Meter(rows)
        for service in self.services:
            service.start()
        say("Two services, each in a cgroup of its own"
            + (" with a CPU quota" if self.quotas else " (this kernel offers no CPU quota)")
            + f"; both are sampled at {DEFAULT_HZ} Hz.", "")
        self.watch(BEFORE_S)
        source = os.path.relpath(self.rig.controller.source, os.getcwd())
        say("", self.screen.hot(f"$ cp examples/boost.yaml {source}/") + f"     (payments: 100 Hz for {BOOST_S} s)", "")
        self.written_ns = self.apply("boost.yaml")
        self.first_ns = rows.wait_for_first(self.services[0].cgroup.id, 100)
        self.watch(BOOST_S + 1)
        say("", "The boost is over; nobody did anything.", "")
        self.watch(AFTER_S)
        self.stop()

    def apply(self, example):
        with open(os.path.join(REPO, "examples", example), "rb") as file:
            return self.rig.write_bytes(example, file.read())

    def stop(self):
        for service in self.services:
            service.cgroup.stop()
            service.note_account()
        time.sleep(0.3)
        self.rig.finish()
        self.read_new_profiles()

    # The live table.
    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            for service in self.services:
                service.note_account()
            self.meter.look()
            self.read_new_profiles()
            self.screen.draw(self.screen.bold(HEADER), self.table())

    def read_new_profiles(self):
        for path, _, names in os.walk(self.rig.agent.profiles):
            for name in names:
                full = os.path.join(path, name)
                if name.endswith(".pb.gz") and full not in self.read:
                    self.read[full] = pprof.Profile(full)

    def profiles(self, namespace):
        found = [p for p in self.read.values() if p.namespace == namespace]
        return sorted(found, key=lambda p: p.time_ns)

    def table(self):
        lines = []
        applied = applied_rates(self.rig.agent.metrics())
        for service in self.services:
            profiles = self.profiles(service.namespace)
            wanted, rate = self.wanted(service.namespace), applied.get(service.namespace)
            ours = pprof.cpu_seconds(profiles)
            kernel = service.cpu_kernel_until(profiles[-1].end_ns) if profiles else 0
            line = (f"{service.namespace:<11} {wanted:>4} Hz {rate if rate is not None else '?':>6} Hz "
                    f"{self.meter.samples_per_cpu_second(service.cgroup.id):>20.1f} {ours:>18.2f} s {kernel:>9.2f} s")
            lines.append(self.screen.hot(line) if wanted != DEFAULT_HZ else line)
        return lines

    def wanted(self, namespace):
        """What the policies' status says is in force."""
        status = self.rig.status(namespace, "boost")
        expired = any(c["type"] == "Expired" and c["status"] == "True" for c in status.get("conditions", []))
        return DEFAULT_HZ if expired else status.get("effectiveSampleRateHz", DEFAULT_HZ)

    # What came of it.
    def report(self):
        return {
            "write_to_first_sample_ms": self.write_to_first_sample_ms(),
            "drop_back_late_ms": self.drop_back_late_ms(),
            "namespaces": {s.namespace: {
                "cpu_profiled_s": round(pprof.cpu_seconds(self.profiles(s.namespace)), 3),
                "cpu_kernel_s": round(s.cgroup.cpu_seconds(), 3),
                "rates_hz": pprof.rates(self.profiles(s.namespace)),
            } for s in self.services},
        }

    def write_to_first_sample_ms(self):
        return round((self.first_ns - self.written_ns) / 1e6, 1) if self.first_ns else None

    def drop_back_late_ms(self):
        """How long after the boost's own end the last sample at its rate could still fall."""
        span = pprof.span(self.profiles("payments"), 100)
        end_ns = boost_end_ns(self.rig.status("payments", "boost"))
        return round((span[1] - end_ns) / 1e6, 1) if span and end_ns else None


def print_summary(demo, report):
    screen, say = demo.screen, demo.screen.say
    say("", screen.bold("What it shows"))
    say(f"  from the write of the manifest to the first sample at 100 Hz   {report['write_to_first_sample_ms']} ms",
        f"  the drop back came late by                                     {report['drop_back_late_ms']} ms")
    for name, seen in report["namespaces"].items():
        off = 100 * (seen["cpu_profiled_s"] / seen["cpu_kernel_s"] - 1) if seen["cpu_kernel_s"] else 0
        rates = " -> ".join(str(rate) for rate in seen["rates_hz"])
        say(f"  {name:<10} {rates + ' Hz':<18} CPU by profiles {seen['cpu_profiled_s']:.2f} s, "
            f"by the kernel {seen['cpu_kernel_s']:.2f} s ({off:+.1f} %)")
    if (stolen := max(s.cgroup.stolen_share() for s in demo.services)) > 0.01:
        say(f"  the host of this virtual machine took {100 * stolen:.0f} % of CPU time besides: it is in the profiles, not in the "
            "kernel's account")
    for service in demo.services:
        names = pprof.flat(demo.profiles(service.namespace))
        total = sum(names.values()) or 1
        say("", screen.bold(f"Hottest functions of {service.namespace}"))
        for name, value in names.most_common(5):
            say(f"  {100 * value / total:5.1f} %  {name}")
    where = os.path.relpath(demo.rig.agent.profiles, os.getcwd())
    one = max((p for p in demo.read.values()), key=lambda p: (p.rate_hz, p.cpu_ns()), default=None)
    say("", f"Profiles: {where}/NAMESPACE/POD/CONTAINER/TIME-ID-RATEhz.pb.gz ({len(demo.read)} files); report: "
        f"{os.path.relpath(HOME, os.getcwd())}/report.json")
    if one:
        say(f"Open one:  go tool pprof -http=: {os.path.relpath(one.path, os.getcwd())}",
            f"or all:    go tool pprof -http=: {where}/payments/*/*/*.pb.gz")


def main():
    scope.install()
    why_not = missing()
    if why_not:
        print(f"The demo cannot run here: {why_not}", file=sys.stderr)
        return 1
    cgroups.sweep()
    demo = Demo(Screen())
    try:
        demo.run()
    except RuntimeError as error:
        print(f"The demo cannot run here: {error}", file=sys.stderr)
        return 1
    report = demo.report()
    with open(os.path.join(HOME, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    print_summary(demo, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
