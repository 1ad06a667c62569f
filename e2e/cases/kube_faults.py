# SPDX-License-Identifier: Apache-2.0
"""What an API server may do to a watch.  After each: what the controller knows of every object is what the server has."""

import asyncio
import json
import os
import random

from rubato import scope
from rubato.daemons import BUILD, CONTROLLER_NAME, Daemon, free_port, make_certs
from rubato.kube_chaos import Chaos
from rubato.kube_mischief import FLEETING, refuse, refuse_streaming_lists, silent, times
from rubato.kube_objects import CLUSTER_POLICIES, KINDS, NODES, POLICIES, PODS, pod
from rubato.kube_scripted import World

NEEDS_KERNEL = False
PATIENCE_S = 30
AT_ONCE = 4  # controllers of one case
SHORT_WATCH = ["--watch-timeout", "5s"]
SILENCE_S = 5 * 2 + 15  # until such a watch is given up
CHAOS_S = 30


def first_difference(known, wanted):
    """Of two lists of lines, in words; "" when they have the same."""
    def by_name(lines):
        return {(line["kind"], line.get("namespace"), line["name"]): line for line in lines}
    ours, theirs = by_name(known), by_name(wanted)
    for name in sorted(ours.keys() | theirs.keys(), key=str):
        if ours.get(name) != theirs.get(name):
            return f"knows {json.dumps(ours.get(name))}, the server has {json.dumps(theirs.get(name))}"
    return "" if len(known) == len(wanted) else "knows an object twice"


class Rig:
    def __init__(self, certs, seed=1):
        home = scope.temp_dir("rubato-faults-")
        self.world, self.random = World(), random.Random(seed)
        self.chaos = Chaos(self.world, self.random)
        config, self.token = os.path.join(home, "kubeconfig"), os.path.join(home, "token")
        self.write_token("old")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                       "clusters": [{"name": "x", "cluster": {"server": self.world.url}}],
                       "users": [{"name": "x", "user": {"tokenFile": self.token}}]}, file)
        self.argv = [os.path.join(BUILD, CONTROLLER_NAME), "--kubeconfig", config, "--debug-store",
                     "--listen", f"127.0.0.1:{free_port()}", "--tls-cert", f"{certs}/controller.crt",
                     "--tls-key", f"{certs}/controller.key", "--tls-ca", f"{certs}/ca.crt"]
        self.log = os.path.join(home, "controller.log")
        self.controller = None
        self.chaos.change_all(8)

    def write_token(self, token):
        with open(self.token + ".new", "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.rename(self.token + ".new", self.token)

    def spawn(self, *more):
        self.controller = Daemon(CONTROLLER_NAME, [*self.argv, *more], self.log)
        self.controller.spawn()

    def stop(self):
        self.controller.stop()
        self.world.stop()

    def difference(self):
        """Between what the controller knows and what the server has; "" = none."""
        lines = [json.loads(line) for line in self.controller.get("/debug/store").splitlines()]
        return first_difference(lines, self.world.known()) if lines else "knows nothing"

    async def settle(self, checks, sentence, patience_s=PATIENCE_S):
        """Everything is known, and every policy has a status."""
        end = asyncio.get_running_loop().time() + patience_s
        while (why := self.difference() or self.unwritten()) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.2)
        return checks.check(sentence, not why, why and f"{why}; {self.controller.last_lines(3)[-400:]}")

    def unwritten(self):
        with self.world.lock:
            missing = self.world.things[POLICIES].keys() - self.world.patched.keys()
        return f"no status of {sorted(missing)}" if missing else ""

    def everywhere(self, make):
        """A fault of each resource."""
        self.world.faults = {resource: make() for resource in KINDS}


async def all_of(works):
    """Some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(work):
        async with turn:
            await work
    await asyncio.gather(*(one(work) for work in works))


def certificates():
    certs = os.path.join(scope.temp_dir("rubato-faults-"), "certs")
    make_certs(certs, "node-a")
    return certs


async def in_both_ages(checks, rig, sentence, make):
    """At the first read of everything, and when all is known and a watch breaks off."""
    rig.everywhere(make)
    rig.spawn()
    await rig.settle(checks, f"{sentence}: everything is read")
    with rig.world.lock:
        rig.everywhere(make)
        for resource in KINDS:
            rig.world.cut(resource)
        rig.chaos.change_all(6)
    await rig.settle(checks, f"{sentence}, later: what has changed meanwhile is known")
    rig.stop()


async def what_passes(checks):
    certs = certificates()
    await all_of(in_both_ages(checks, Rig(certs), sentence, make) for sentence, make in FLEETING)


async def a_new_token(checks, rig, nr):
    """The first `nr` requests are refused; then the right token is there."""
    def fault(request):
        if request.headers["Authorization"] == "Bearer new":
            return False
        refused.append(1)
        if len(refused) == nr:
            rig.write_token("new")
        return request.refuse(401, "Unauthorized")
    refused = []
    rig.everywhere(lambda: fault)
    rig.spawn()
    await rig.settle(checks, f"a token that is refused {nr} times, then a new one: everything is read")
    rig.stop()


async def an_old_token(checks, rig):
    """It was good; then only another one is, and the streams end."""
    rig.spawn()
    await rig.settle(checks, "with a token: everything is read")
    with rig.world.lock:
        rig.everywhere(lambda: lambda r: r.headers["Authorization"] != "Bearer new" and r.refuse(401, "Unauthorized"))
        for resource in KINDS:
            rig.world.cut(resource)
        rig.chaos.change_all(6)
    await asyncio.sleep(3)
    checks.check("while the token is refused, what was known stays", rig.difference() not in ("", "knows nothing"))
    rig.write_token("new")
    await rig.settle(checks, "and with a new one, what has changed is known")
    rig.stop()


async def tokens(checks):
    certs = certificates()
    await all_of([a_new_token(checks, Rig(certs), 1), a_new_token(checks, Rig(certs), 12), an_old_token(checks, Rig(certs))])


async def silent_at_first(checks, rig):
    rig.everywhere(lambda: times(1, silent))
    rig.spawn(*SHORT_WATCH)
    await rig.settle(checks, "200 and nothing more, at the start: everything is read", SILENCE_S + PATIENCE_S)
    rig.stop()


async def silent_later(checks, rig):
    rig.spawn(*SHORT_WATCH)
    await rig.settle(checks, "before the silence: everything is read")
    with rig.world.lock:
        rig.everywhere(lambda: times(1, silent))
        for resource in KINDS:
            rig.world.mute(resource)
        rig.chaos.change_all(6)
    await rig.settle(checks, "streams that say nothing any more, and the next ones neither: what has changed is known",
                     2 * SILENCE_S + PATIENCE_S)
    rig.stop()


async def silent_after_a_restore(checks, rig):
    rig.spawn(*SHORT_WATCH)
    await rig.settle(checks, "before the restore: everything is read")
    with rig.world.lock:
        rig.world.restore(10)
        rig.chaos.change_all(6)
    await rig.settle(checks, "versions that went back, streams that wait for those to come: what has changed is known",
                     2 * SILENCE_S + PATIENCE_S)
    rig.stop()


async def silence(checks):
    certs = certificates()
    await all_of([silent_at_first(checks, Rig(certs)), silent_later(checks, Rig(certs)),
                  silent_after_a_restore(checks, Rig(certs))])


async def large_and_gone(checks):
    rig = Rig(certificates())
    rig.world.put("large", note="x" * 1_500_000)
    rig.spawn()
    await rig.settle(checks, "an object of 1.5 MB is read")
    rig.world.add(PODS, pod("late", node="n1", labels={"note": "x"}))
    rig.world.put("large", hz=51, note="y" * 1_500_000)
    await rig.settle(checks, "it changes, and another comes")
    with rig.world.lock:
        rig.world.restore(10)
        rig.world.objects.pop("large")
        rig.world.put("restored")
        rig.world.history[POLICIES].append((999999, "MODIFIED", rig.world.objects["restored"]))
        rig.world.news.notify_all()
    await rig.settle(checks, "versions that go back: everything is read anew")
    with rig.world.lock:
        for resource in (POLICIES, CLUSTER_POLICIES, PODS):
            rig.world.things[resource].clear()
            rig.world.faults[resource] = refuse_streaming_lists
            rig.world.cut(resource)
            rig.world.history[resource].append((10**6, "ERROR", {"code": 410, "reason": "Expired"}))
    await rig.settle(checks, "items: null: they are gone, nodes and namespaces are not")
    rig.stop()


async def anything_at_any_time(checks):
    """Properties: whatever happens, in the end the controller knows what the server has."""
    seed = int(os.environ.get("RUBATO_SEED") or random.SystemRandom().randrange(10**6))
    rig = Rig(certificates(), seed)
    rig.world.version = 10**6
    rig.spawn(*SHORT_WATCH)
    loop, changes, done = asyncio.get_running_loop(), 0, []
    end, next_fault = loop.time() + CHAOS_S, 0
    restore_at = loop.time() + rig.random.uniform(0, CHAOS_S)
    while (now := loop.time()) < end:
        rig.chaos.change(rig.random.choice(list(KINDS)))
        changes += 1
        if now > next_fault:
            done.append(rig.chaos.disturb())
            next_fault = now + rig.random.uniform(0, 3)
        if now > restore_at:
            rig.world.restore(1000)
            done.append("a restore")
            restore_at = end
        await asyncio.sleep(rig.random.uniform(0, 0.1))
    rig.world.faults = {}
    good = await rig.settle(checks, f"{changes} changes and {len(done)} faults (RUBATO_SEED={seed}): "
                                    "what is known is what the server has", 100)
    if not good:
        print(f"RUBATO_SEED={seed}: " + "; ".join(done))
    rig.stop()


CASES = [what_passes, tokens, silence, large_and_gone, anything_at_any_time]
