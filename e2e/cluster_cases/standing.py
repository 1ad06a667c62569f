# SPDX-License-Identifier: Apache-2.0
"""Installed with default values: what runs, with which rights, and what it sees of the workloads."""

import json
import re
import threading
import time

from rubato import pprof
from rubato.onenode.stage import SYSTEM, WORKLOADS

BASE, COMB_HZ = 19, 53
AGENT_RIGHTS = 0x1C400080004  # DAC_READ_SEARCH, SYS_PTRACE, SYSLOG, PERFMON, BPF, CHECKPOINT_RESTORE
WATCH_S = 35


def namespaces():
    return sorted({item["metadata"]["namespace"] for item in WORKLOADS})


def helm_install(stage, checks):
    began = time.monotonic()
    stage.install()
    checks.check("helm install --wait with default values succeeds, and the agent is ready", True, f"{time.monotonic() - began:.1f} s")
    seen = stage.until_agents("applied", 1)
    checks.check("the controller has the node's agent, and the agent its plan", seen)


def _status(stage, component):
    container, _ = stage.ours(component)
    with open(f"/proc/{stage.pid(container)}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def least_rights(stage, checks):
    controller, agent = _status(stage, "controller"), _status(stage, "agent")
    checks.check("the controller is not root", controller["Uid"].split()[0] != "0", controller["Uid"])
    checks.check("... and has no capability, also none to gain", int(controller["CapEff"], 16) == int(controller["CapBnd"], 16) == 0)
    checks.check("the agent has exactly its six capabilities", int(agent["CapEff"], 16) == int(agent["CapBnd"], 16) == AGENT_RIGHTS, agent["CapEff"])
    for name, status in (("controller", controller), ("agent", agent)):
        checks.check(f"the {name} runs under seccomp and can gain nothing", (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"))
    for component in ("controller", "agent"):
        container, _ = stage.ours(component)
        spec = stage.get("-n", SYSTEM, "pod", container.pod)["spec"]
        context = spec["containers"][0]["securityContext"]
        checks.check(f"the {component} is not privileged and its root is read-only",
                     not context.get("privileged") and context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"])
    volumes = [json.dumps(volume) for volume in spec["volumes"]]
    tokens = [source for volume in spec["volumes"] for source in volume.get("projected", {}).get("sources", ())
              if "serviceAccountToken" in source]
    checks.check("the agent has no API token but the one for the controller",
                 [t["serviceAccountToken"]["audience"] for t in tokens] == ["rubato-controller"] and not spec["automountServiceAccountToken"],
                 " ".join(volumes)[:200] if len(tokens) != 1 else "")


class Account:
    """The kernel's CPU time of containers, noted a few times a second, so that it is known of each moment."""

    def __init__(self, stage, containers):
        self.stage, self.notes = stage, {c: [] for c in containers}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over.wait(0.1):
            for container, notes in self.notes.items():
                if (seconds := self.stage.cpu_seconds(container)) is not None:
                    notes.append((time.time_ns(), seconds))

    def stop(self):
        self.over.set()
        self.thread.join()

    def at(self, container, when_ns):
        notes = self.notes[container]
        for (a_ns, a_s), (b_ns, b_s) in zip(notes, notes[1:]):
            if a_ns <= when_ns <= b_ns:
                return a_s + (b_s - a_s) * (when_ns - a_ns) / max(1, b_ns - a_ns)
        return None


def two_namespaces_at_19_hz(stage, checks):
    containers = [c for name in namespaces() for c in stage.containers(name)]
    checks.check("C, Go and Python programs run in two namespaces", len(containers) == len(WORKLOADS), f"{len(containers)} containers")
    log, account = stage.rate_log(), Account(stage, containers)
    time.sleep(WATCH_S)
    log.stop()
    account.stop()
    for container in containers:
        rates = log.rates(stage.cgroup_id(container))
        checks.check(f"{container.namespace}/{container.pod.rsplit('-', 2)[0]} is sampled at 19 Hz, says the kernel's map", rates == [BASE], str(rates))
    both = [_check_profiles(stage, checks, container, account) for container in containers]
    profiles, kernel = (sum(pair[i] for pair in both) for i in (0, 1))
    stage.figures.add("cpu_by_profiles_of_kernels_account", 100 * profiles / kernel, "%", 100)
    _near_account(checks, "all of them together", profiles, kernel, 3)


def _near_account(checks, name, profiles, kernel, sigmas):
    """CPU time is counted on a comb of 53 Hz: a Poisson count is its upper bound."""
    tolerance = 100 * sigmas / max(1.0, kernel * COMB_HZ) ** 0.5
    checks.near(f"{name}: the CPU time of the profiles, of the kernel's account", 100 * profiles / kernel, 100, tolerance, " %")


def _check_profiles(stage, checks, container, account):
    """CPU seconds (by its profiles, by the kernel) of the time that whole profiles cover."""
    name = f"{container.namespace}/{container.pod.rsplit('-', 2)[0]}"
    own = [p for p in stage.profiles(container.namespace) if p.pod == container.pod and p.container == container.name]
    inside = [p for p in own if account.at(container, p.time_ns) is not None and account.at(container, p.end_ns) is not None]
    faults = {fault for p in own for fault in p.faults()}
    if not checks.check(f"{name} has profiles under its names, which a strict reader takes", inside and not faults, "; ".join(sorted(faults)) or f"{len(own)} files"):
        return 0.0, 0.0
    kernel = account.at(container, inside[-1].end_ns) - account.at(container, inside[0].time_ns)
    _near_account(checks, name, pprof.cpu_seconds(inside), kernel, 4)
    return pprof.cpu_seconds(inside), kernel


def names_of_functions(stage, checks):
    wanted = {"settlement": "post_to_ledger", "pricing": "main.work"}
    for program, function in wanted.items():
        where = next(item["metadata"]["namespace"] for item in WORKLOADS if item["metadata"]["name"] == program)
        profiles = [p for p in stage.profiles(where) if p.pod.startswith(program + "-")]
        names = pprof.cumulative(profiles)
        # A compiler adds suffixes such as ".isra.0".
        own = sum(ns for name, ns in names.items() if re.fullmatch(re.escape(function) + r"(\.\w+)*", name))
        share = 100 * own / max(1, sum(pprof.flat(profiles).values()))
        checks.check(f"{program}: {function} is named, with much of the time", share > 25, f"{share:.0f} %")


CASES = [helm_install, least_rights, two_namespaces_at_19_hz, names_of_functions]
