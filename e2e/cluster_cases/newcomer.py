# SPDX-License-Identifier: Apache-2.0
"""From a cluster without rubato to the first flame graph in the backend, by the README's own commands, timed."""

import os
import subprocess
import time
import urllib.error

from rubato import tools
from rubato.backends import Pyroscope
from rubato.daemons import REPO, wait_until
from rubato.markdown import shell_blocks
from rubato.onenode.space import ADDRESS
from rubato.onenode.stage import SYSTEM, namespace

HEADING = "Use it with a cluster"
PORT = 4040
TIMEOUT_S = 120


def _service(port):
    """http://pyroscope.monitoring.svc:4040, as the README calls it, is the one that runs beside the cluster."""
    meta = {"metadata": {"name": "pyroscope", "namespace": "monitoring"}}
    return [namespace("monitoring"),
            {"apiVersion": "v1", "kind": "Service", **meta, "spec": {"ports": [{"port": PORT, "targetPort": port}]}},
            {"apiVersion": "v1", "kind": "Endpoints", **meta, "subsets": [{"addresses": [{"ip": ADDRESS}], "ports": [{"port": port}]}]}]


def _commands(block):
    joined = block.replace("\\\n", " ").splitlines()
    return [line for line in joined if line.strip() and not line.strip().startswith("#")]


def _flame_graph(pyroscope):
    try:
        return pyroscope.cpu_ns('{namespace="payments"}') > 0
    except (OSError, urllib.error.URLError, KeyError, ValueError):
        return False


def by_the_readme(stage, checks):
    block = shell_blocks("README.md", HEADING)[0]
    try:
        tools.find_in_time("pyroscope")
        pyroscope = Pyroscope(ADDRESS).start().wait()
    except tools.Missing as why:
        checks.skip("a newcomer's way to the first flame graph", str(why))
        return
    stage.server.apply(*_service(pyroscope.port))
    programs = ":".join(sorted({os.path.dirname(stage.server.binary[name]) for name in ("kubectl", "helm")}))
    env = stage.cluster.environment() | {"PATH": f"{programs}:{os.environ['PATH']}"}
    stage.kubectl("delete", "crd", "--all")
    stage.kubectl("delete", "namespace", SYSTEM, "--ignore-not-found", "--timeout=60s")
    began = time.monotonic()
    done = subprocess.run(["sh", "-ec", block], cwd=REPO, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    checks.check("the commands of the README run as printed", done.returncode == 0, "" if done.returncode == 0 else (done.stdout + done.stderr)[-400:])
    seen = wait_until(lambda: _flame_graph(pyroscope), TIMEOUT_S, 0.25)
    took, number = time.monotonic() - began, len(_commands(block))
    checks.check("... and Pyroscope has a flame graph of the namespace", seen, f"{number} commands, {took:.1f} s")
    stage.figures.add("newcomer_commands", number, "commands")
    stage.figures.add("newcomer_seconds", took if seen else None, "s")
    stage.kubectl("-n", "payments", "delete", "profpol", "--all")
    stage.helm("uninstall", "rubato", "--namespace", SYSTEM, "--wait", "--timeout", "60s")
    pyroscope.stop()


CASES = [by_the_readme]
