# SPDX-License-Identifier: Apache-2.0
"""Profiles of the node's pods in a real Pyroscope and a real Parca, asked by their own APIs."""

from rubato import tools
from rubato.backends import Parca, Pyroscope
from rubato.daemons import wait_until
from rubato.onenode.space import ADDRESS
from .raising import EXAMPLE, NAME, NS, short_pod

POD = "sent"
ARRIVE_S = 30


def _begin(checks):
    """Both backends, on the node's address; None where they cannot be had."""
    try:
        for name in ("pyroscope", "parca"):
            tools.find_in_time(name)
        return Pyroscope(ADDRESS).start(), Parca(ADDRESS).start()
    except tools.Missing as why:
        checks.skip("real Pyroscope and Parca", str(why))
        return None


def _by_files(stage, pod):
    return sum(p.cpu_ns() for p in stage.profiles(NS) if p.pod == pod)


def _seen(backend, pod):
    """CPU time in ns by its own API; 0 while it does not answer."""
    try:
        return backend.cpu_ns(f'{{namespace="{NS}",pod="{pod}"}}')
    except (OSError, ValueError, KeyError):
        return 0


def _is_there(stage, backend, pod):
    """The backend has what the files have, to the nanosecond."""
    return _seen(backend, pod) == _by_files(stage, pod) != 0


def _run_short_pod(stage, name):
    stage.server.apply(short_pod(name))
    stage.kubectl("-n", NS, "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=30s")


def _check_labels(stage, checks, pyroscope):
    container = stage.containers(NS)[0]
    series = pyroscope.series("namespace", "pod", "container", "node", "service_name")
    wanted = {"namespace": NS, "pod": container.pod, "container": container.name, "node": "node-a"}
    own = [s for s in series if wanted.items() <= s.items()]
    checks.check("Pyroscope knows a workload's namespace, pod, container and node", own, "" if own else str(series)[:300])
    names = {s["service_name"] for s in own}
    checks.check("... and it has a service_name", names and all(names), str(names))


def real_backends(stage, checks):
    if not (both := _begin(checks)):
        return
    pyroscope, parca = both
    pyroscope.wait()
    parca.wait()
    stage.upgrade("--set", "agent.sinks.pyroscope.enabled=true", "--set", f"agent.sinks.pyroscope.url={pyroscope.url}",
                  "--set", "agent.sinks.parca.enabled=true", "--set", f"agent.sinks.parca.url={parca.url}", "--set", "agent.config.window=5s")
    stage.kubectl("apply", "-f", EXAMPLE)
    stage.kubectl("-n", NS, "wait", "--for=condition=Programmed", f"profpol/{NAME}", "--timeout=20s")
    _run_short_pod(stage, POD)
    for name, backend in (("Pyroscope", pyroscope), ("Parca", parca)):
        there = wait_until(lambda: _is_there(stage, backend, POD), ARRIVE_S, 1)
        seen = _seen(backend, POD)
        checks.check(f"{name} has the pod that lived 3 s during the boost, with the CPU time of its profiles", there,
                     f"{seen / 1e9:.3f} s, by the files {_by_files(stage, POD) / 1e9:.3f} s")
    checks.check("Pyroscope has the names of its functions", "burn_heavy" in pyroscope.names(f'{{pod="{POD}"}}'))
    _check_labels(stage, checks, pyroscope)
    lost = {name: value for name, value in stage.metrics("agent").items() if name.startswith("rubato_agent_push_dropped_total") and value}
    checks.check("the agent has dropped nothing", not lost, str(lost))
    stage.unboost(NS, NAME)
    stage.kubectl("-n", NS, "delete", "pod", POD, "--wait=false")
    stage.rollback()
    pyroscope.stop()
    parca.stop()


CASES = [real_backends]
