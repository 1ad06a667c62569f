# SPDX-License-Identifier: Apache-2.0
"""Statuses at a real API server, when others write them too, and when the controller ends."""

import time

from cases.tenants import Town, policy
from rubato import tools
from rubato.daemons import wait_until

ONE_BY_ONE, NEEDS_KERNEL = True, False
API = "profiling.rubato.dev/v1alpha1"
PATIENCE_S = 10
MANY = 300


def begin(checks, what, name):
    try:
        town = Town(name)
    except tools.Missing as why:
        checks.skip(what, str(why))
        return None
    town.controller.start(30)
    return town


def end(checks, town):
    checks.check("the controller ends well", town.controller.stop() == 0, town.controller.last_lines(2))
    checks.check("and says nothing of memory", not town.controller.sanitizer_report())


def status_of(town, name):
    return (town.get(f"/apis/{API}/namespaces/alice/profilingpolicies/{name}") or {}).get("status") or {}


def without_status(town):
    """How many of the policies have none."""
    items = town.get(f"/apis/{API}/namespaces/alice/profilingpolicies")["items"]
    return sum(not item.get("status") for item in items)


def write_status(town, name, status):
    """As somebody with the right to it: the whole status."""
    where = f"/apis/{API}/namespaces/alice/profilingpolicies/{name}"
    found = town.get(where)
    code, said = town.server.request("PUT", f"{where}/status", found | {"status": status})
    if code != 200:
        raise RuntimeError(f"status of {name}: {said}")


def patches(town):
    return town.controller.metrics().get("rubato_controller_status_patches_total", 0)


async def a_status_that_another_wipes_or_restores_is_repaired(checks):
    if not (town := begin(checks, "a wiped status", "statuses")):
        return
    town.apply(policy("alice", "work", sampleRateHz=40))
    town.until_accepted("alice", "work")
    old = status_of(town, "work")
    town.apply(policy("alice", "work", sampleRateHz=60))
    now = lambda: status_of(town, "work").get("observedGeneration") == 2
    wait_until(now, PATIENCE_S)
    time.sleep(1.5)
    good = status_of(town, "work")

    for what, status in (("wiped", {}), ("restored from before", old), ("of one condition", {"conditions": good["conditions"][:1]})):
        write_status(town, "work", status)
        began = time.monotonic()
        back = wait_until(lambda: status_of(town, "work") == good, PATIENCE_S, 0.1)
        checks.check(f"{what}: it is as it was", back, f"after {time.monotonic() - began:.1f} s: {status_of(town, 'work') == good}")
    before = patches(town)
    town.server.kubectl("-n", "alice", "annotate", "profpol", "work", "seen=1")
    time.sleep(3)
    checks.check("then nothing more is written", patches(town) == before, f"{before:.0f} writes so far")
    end(checks, town)
    town.server.stop()


async def the_last_statuses_are_written_before_the_end(checks):
    if not (town := begin(checks, "the last statuses", "statuses-last")):
        return
    for i in range(MANY):
        town.post(policy("alice", f"work-{i}", sampleRateHz=40))
    waiting = without_status(town)
    checks.check("many statuses wait for their turn", waiting > 20, f"{waiting} of {MANY}")
    began = time.monotonic()
    end(checks, town)
    checks.check("it ends within three seconds", time.monotonic() - began < 4, f"{time.monotonic() - began:.1f} s")
    left = without_status(town)
    checks.check("all of them are written", left == 0, f"{left} are not")
    town.server.stop()


CASES = [a_status_that_another_wipes_or_restores_is_repaired, the_last_statuses_are_written_before_the_end]
