# SPDX-License-Identifier: Apache-2.0
"""docs/install.md: its commands as they are printed, by a person with kubectl and helm."""

import os
import subprocess
import time

from rubato.daemons import REPO, wait_until
from rubato.markdown import shell_blocks
from rubato.onenode.stage import SYSTEM

DOCUMENT = "docs/install.md"


def _run(stage, script):
    """(exit status, what it said, seconds)"""
    binaries = {os.path.dirname(stage.server.binary[name]) for name in ("kubectl", "helm")}
    env = os.environ | {"PATH": ":".join([*binaries, os.environ["PATH"]]), "KUBECONFIG": stage.server.kubeconfig, "HOME": stage.cluster.path("helm-home")}
    began = time.monotonic()
    done = subprocess.run(["bash", "-e"], input=script, cwd=REPO, env=env, timeout=400, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return done.returncode, done.stdout, time.monotonic() - began


def _check(stage, checks, what, script):
    status, said, seconds = _run(stage, script)
    checks.check(f"{DOCUMENT}: {what}, as printed", status == 0, f"{seconds:.0f} s" if status == 0 else " | ".join(said.strip().splitlines()[-6:]))
    return said


def _left(stage):
    return stage.kubectl("get", "all,cm,secret,sa,role,rolebinding", "-n", SYSTEM, "-l", "app.kubernetes.io/instance=rubato", "-o", "name").strip()


def install_and_operate(stage, checks):
    install, quota = shell_blocks("docs/install.md", "Install")
    upgrade, = shell_blocks("docs/install.md", "Upgrade")
    remove, purge = shell_blocks("docs/install.md", "Uninstall")
    if stage.helm("list", "--namespace", SYSTEM, "--short").strip():
        _run(stage, remove)
    said = _check(stage, checks, "install, rollout, helm test", install)
    checks.check("... the test says that it succeeded", "Phase:          Succeeded" in said, said[-300:])
    _check(stage, checks, "the quota", quota)
    hard = stage.get("-n", "payments", "resourcequota", "profiling-policies")["spec"]["hard"]
    checks.check("... stands", list(hard.values()) == ["20"], str(hard))
    stage.kubectl("-n", "payments", "delete", "resourcequota", "profiling-policies")
    _check(stage, checks, "upgrade", upgrade)
    checks.check("... and the agent has its plan again", stage.until_agents("applied", 1))
    _check(stage, checks, "uninstall", remove)
    gone = wait_until(lambda: not _left(stage), 60, 1)  # pods take a moment to end
    checks.check("... leaves nothing of the release in its namespace", gone, _left(stage))
    _check(stage, checks, "what uninstall leaves goes", purge)
    checks.check("... and no resource is left", "profiling.rubato.dev" not in stage.kubectl("get", "crd", "-o", "name"))


CASES = [install_and_operate]
