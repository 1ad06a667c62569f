# SPDX-License-Identifier: Apache-2.0
"""The documents' commands for a cluster, as they are printed, on a real API server.  (Those for a machine without one:
e2e/newcomer.py.)"""

import asyncio
import os
import shutil
import socket
import subprocess

from rubato import scope, tools
from rubato.daemons import BUILD, REPO, make_certs
from rubato.kube_rig import KubeRig
from rubato.markdown import shell_blocks, shell_session
from . import until

ONE_BY_ONE = True
PORT = 4320  # the default of --listen
PATIENCE_S = 90


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _checkout(rig):
    """What a person has: a checkout, a home with a kubeconfig, kubectl and the daemons on the path.  Returns where it is
    and the environment."""
    home = scope.temp_dir("rubato-commands-")
    os.makedirs(f"{home}/.kube")
    shutil.copy(rig.server.kubeconfig, f"{home}/.kube/config")
    for name in ("crds", "examples"):
        os.symlink(os.path.join(REPO, name), f"{home}/{name}")
    make_certs(f"{home}/certs", "fleet")  # the agent's, before the document's own command finds them made
    path = f"{BUILD}:{os.path.dirname(rig.server.binary['kubectl'])}:{os.environ['PATH']}"
    return home, {"PATH": path, "HOME": home, "LC_ALL": "C.UTF-8"}


def _shell(script, cwd, env):
    """As typed into one shell, each command only if the one before went well; what it left running is ended."""
    done = subprocess.run(["bash", "-e"], input=f"trap 'kill %1 2>/dev/null || true; wait' EXIT\n{script}", cwd=cwd, env=env, timeout=PATIENCE_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


async def the_readmes_commands_for_a_cluster(checks):
    sentence = "README and docs/cluster.md: the commands for a cluster run as printed"
    if not _is_free(PORT):
        checks.skip(sentence, f"port {PORT}, the default of --listen, is taken")
        return
    try:
        rig = KubeRig("commands")
    except tools.Missing as why:
        checks.skip(sentence, str(why))
        return
    home, env = _checkout(rig)
    # The rig's agent, by the document's certificates, to the document's controller.
    rig.agent.argv = [argument.replace(rig.cluster.certs, f"{home}/certs").replace(f":{rig.cluster.listen}", f":{PORT}")
                      for argument in rig.agent.argv]
    rig.pod("payments", "settlement")
    rig.agent.spawn()
    commands = shell_blocks("README.md", "Use it with a cluster")[1]  # the first needs nodes: e2e/cluster_cases/newcomer.py
    session = shell_session("docs/cluster.md", "What one sees")
    status, said = await asyncio.to_thread(_shell, "\n".join([commands, *session]), home, env)
    checks.check(sentence, status == 0, f"exit status {status}; {' | '.join(said.strip().splitlines()[-4:])}")
    with open(os.path.join(REPO, "docs", "cluster.md"), encoding="utf-8") as file:
        columns = next(line for line in file if line.startswith("NAME    RATE"))
    shown = [line.split() for line in said.splitlines() if line.startswith("NAME ")]
    checks.check("... `kubectl get profpol` has the columns that docs/cluster.md shows", columns.split() in shown, str(shown))
    checks.check("... and the boost is confirmed by the agent", "condition met" in said)
    rig.finish()


async def raising_a_namespace(checks):
    sentence = "docs/raise.md: every command runs as printed"
    try:
        rig = KubeRig("raise")
    except tools.Missing as why:
        checks.skip(sentence, str(why))
        return
    home, env = _checkout(rig)
    rig.start()
    rig.pod("payments", "settlement").burn(20)
    may, raise_it, look, longer, end = shell_blocks("docs/raise.md", None)
    status, said = await asyncio.to_thread(_shell, may + raise_it + look, home, env)
    checks.check(sentence, status == 0, f"exit status {status}; {' | '.join(said.strip().splitlines()[-4:])}")
    checks.check("... the boost is in the kernel", "condition met" in said and rig.status("payments", "inc-4211").get("effectiveSampleRateHz") == 100)
    first = rig.status("payments", "inc-4211").get("expiresAt")
    status, said = await asyncio.to_thread(_shell, longer, home, env)
    longer_now = await until(lambda: rig.status("payments", "inc-4211").get("expiresAt", "") > first, 5)
    checks.check("... an edit starts the clock anew", status == 0 and longer_now, said)
    status, said = await asyncio.to_thread(_shell, end, home, env)
    checks.check("... and deleting it ends it at once", status == 0 and not rig.policy("payments", "inc-4211"), said)
    back = await until(lambda: rig.agent.metrics().get('rubato_agent_sampling_frequency_hertz{namespace="payments"}') == 19, 5)
    checks.check("... on the node, too", back)
    rig.finish()


CASES = [the_readmes_commands_for_a_cluster, raising_a_namespace]
