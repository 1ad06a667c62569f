# SPDX-License-Identifier: Apache-2.0
"""An agent of somebody else's: opamp-go, the OpAMP project's own client, at our controller."""

import json
import os
import subprocess

from rubato import scope, tools
from rubato.daemons import CONTROLLER_NAME
from rubato.rig import NODE, Rig, policy
from . import until


class Foreign:
    """e2e/tools/opamp: takes every plan.  It tells of connections and plans, a line each."""

    def __init__(self, rig):
        certs = os.path.join(rig.home, "certs")
        self.told = os.path.join(rig.home, "foreign.log")
        with open(self.told, "wb") as told, open(os.path.join(rig.home, "foreign.err"), "wb") as complaints:
            self.process = subprocess.Popen(
                [tools.find("opamp"), f"wss://127.0.0.1:{rig.controller.listen}/v1/opamp", f"{certs}/ca.crt",
                 f"{certs}/{NODE}.crt", f"{certs}/{NODE}.key", CONTROLLER_NAME],
                stdin=subprocess.DEVNULL, stdout=told, stderr=complaints)
        scope.on_exit(scope.end_process, self.process, 5)

    def _lines(self):
        with open(self.told, encoding="utf-8") as told:
            return [json.loads(line) for line in told.read().splitlines()]

    def connections(self):
        return sum(line["event"] == "connected" for line in self._lines())

    def rates(self):
        """Of the newest plan: the rate each pod is sampled at now."""
        plans = [line["files"]["plan.json"] for line in self._lines() if line["event"] == "plan"]
        if not plans:
            return {}
        now = {c["id"]: c["steps"][0]["hz"] for c in plans[-1]["classes"]}
        return {target["pod"]: now[target["class"]] for target in plans[-1]["targets"]}


async def opamp_go_is_served_over_reconnects(checks):
    rig = Rig("foreign")
    rig.controller.start()
    rig.pod("payments", "p", make=False)
    rig.write("policy", policy("payments", "steady", 29))
    try:
        foreign = Foreign(rig)
    except tools.Missing as why:
        checks.skip("opamp-go is served", str(why))
        return
    checks.check("opamp-go gets the plan", await until(lambda: foreign.rates() == {"p": 29}, 10), str(foreign.rates()))
    checks.check("... and what it says of it is believed", await until(
        lambda: rig.condition("payments", "steady", "Programmed") == "True", 5))
    for i, hz in enumerate((37, 43), 2):
        rig.controller.kill()
        rig.controller.start()
        checks.check(f"opamp-go comes back, connection {i}", await until(lambda n=i: foreign.connections() >= n, 60))
        rig.write("policy", policy("payments", "steady", hz))
        checks.check(f"... gets what has changed, {hz} Hz", await until(lambda want=hz: foreign.rates() == {"p": want}, 10),
                     str(foreign.rates()))
        checks.check("... and the policy is Programmed", await until(
            lambda: rig.status("payments", "steady").get("observedGeneration") is not None
            and rig.condition("payments", "steady", "Programmed") == "True", 5))
    rig.controller.stop()


CASES = [opamp_go_is_served_over_reconnects]
