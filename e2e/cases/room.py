# SPDX-License-Identifier: Apache-2.0
"""What a node has no room for, and what its agent does not allow, is not called confirmed."""

from rubato.rig import NODE, Rig
from . import until

ONE_BY_ONE = True  # pods of another case would take the room
HIGH = 100


def message(rig, namespace, name, kind):
    return next((c["message"] for c in rig.status(namespace, name).get("conditions", []) if c["type"] == kind), "")


def reason(rig, namespace, name, kind):
    return next((c["reason"] for c in rig.status(namespace, name).get("conditions", []) if c["type"] == kind), "")


async def more_containers_than_there_is_room_for(checks):
    # What earlier cases have left standing takes room, too.
    empty = Rig("room-before").start()
    there = int(empty.agent.metrics()["rubato_agent_containers"])
    empty.finish()
    rig = Rig("room", extra=("--max-containers", str(there + 3))).start()
    rig.pod("first", "p").burn(20)
    rig.boost("first", "boost", HIGH, "60s")
    checks.check("with room for three more containers, one is confirmed",
                 await until(lambda: rig.condition("first", "boost", "Programmed") == "True", 10))
    for i in range(4):
        rig.pod("crowd", f"p-{i}").burn(10)
    rig.boost("crowd", "boost", HIGH, "60s")
    checks.check("four more of another namespace are not: Incomplete",
                 await until(lambda: reason(rig, "crowd", "boost", "Programmed") == "Incomplete", 10),
                 reason(rig, "crowd", "boost", "Programmed"))
    checks.check("... and the node is named", NODE in message(rig, "crowd", "boost", "Programmed"),
                 message(rig, "crowd", "boost", "Programmed"))
    checks.check("... while the first stays confirmed", rig.condition("first", "boost", "Programmed") == "True")
    agents = rig.status("crowd", "boost").get("agents")
    checks.check("... and the counts say one failed", agents == {"desired": 1, "applied": 0, "failed": 1}, agents)
    rig.finish()


async def a_ceiling_of_the_agents_own_is_told(checks):
    rig = Rig("ceiling", extra=("--max-sample-rate", "50")).start()
    rig.pod("payments", "p").burn(20)
    rig.boost("payments", "boost", HIGH, "60s")
    checks.check("an agent that allows 50 Hz: a boost of 100 Hz is confirmed",
                 await until(lambda: rig.condition("payments", "boost", "Programmed") == "True", 10))
    checks.check("... as clamped", rig.condition("payments", "boost", "Clamped") == "True")
    said = message(rig, "payments", "boost", "Clamped")
    checks.check("... by the agent on that node", said == f"100 Hz lowered to 50 Hz by the agent on node {NODE}", said)
    effective = rig.status("payments", "boost").get("effectiveSampleRateHz")
    checks.check("... and the effective rate is 50", effective == 50, effective)
    rig.finish()


CASES = [more_containers_than_there_is_room_for, a_ceiling_of_the_agents_own_is_told]
