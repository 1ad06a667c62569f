# SPDX-License-Identifier: Apache-2.0
"""What an API server may do to a watch.  After each: the controller knows exactly what the server has."""

import asyncio
import json
import os

from rubato import scope
from rubato.daemons import BUILD, CONTROLLER_NAME, Daemon, free_port, make_certs
from rubato.kube_scripted import World, status

NEEDS_KERNEL = False
PATIENCE_S = 20


class Rig:
    def __init__(self, name):
        home = scope.temp_dir(f"rubato-{name}-")
        self.world, certs = World(), os.path.join(home, "certs")
        make_certs(certs, "node-a")
        config = os.path.join(home, "kubeconfig")
        self.token = os.path.join(home, "token")
        with open(self.token, "w", encoding="ascii") as file:
            file.write("old\n")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                       "clusters": [{"name": "x", "cluster": {"server": self.world.url}}],
                       "users": [{"name": "x", "user": {"tokenFile": self.token}}]}, file)
        self.controller = Daemon(CONTROLLER_NAME, [
            os.path.join(BUILD, "rubato-controller"), "--kubeconfig", config,
            "--listen", f"127.0.0.1:{free_port()}", "--tls-cert", f"{certs}/controller.crt",
            "--tls-key", f"{certs}/controller.key", "--tls-ca", f"{certs}/ca.crt"],
            os.path.join(home, "controller.log"))
        for policy in ("a", "b", "c"):
            self.world.put(policy)

    def known(self):
        return self.controller.metrics().get('rubato_controller_policies{kind="ProfilingPolicy"}')

    def agrees(self):
        world = self.world
        with world.lock:
            return self.known() == len(world.objects) and set(world.objects) <= set(world.patched)

    async def settle(self, checks, sentence):
        for _ in range(PATIENCE_S * 10):
            if self.agrees():
                break
            await asyncio.sleep(0.1)
        checks.check(sentence, self.agrees(),
                     f"knows {self.known()}, the server has {len(self.world.objects)}: "
                     f"{self.controller.last_lines(2)[-300:]}" if not self.agrees() else "")


def times(nr, answer):
    """A fault that happens to the next nr requests."""
    left = [nr]

    def fault(request):
        left[0] -= 1
        return left[0] >= 0 and answer(request) is not False
    return fault


def in_stream(*lines):
    def answer(request):
        if not request.query("watch"):
            return False
        request.begin_stream()
        for line in lines:
            request.chunk(line)
        request.end_stream()
        return True
    return answer


def event(kind, body):
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def pages(request):
    """No streams; pages of one item, of which the third has expired."""
    world = request.server.world
    if request.query("sendInitialEvents"):
        request.refuse(422, "Invalid")
        return True
    if request.query("watch") or not request.query("limit"):
        return False
    at = int(request.query("continue") or 0)
    if at == 2:
        request.refuse(410, "Expired")
        return True
    with world.lock:
        item = list(world.objects.values())[at]
        request.reply(200, {"metadata": {"resourceVersion": str(world.version), "continue": str(at + 1)},
                            "items": [item]})
    return True


def split_utf8(request):
    if not request.query("sendInitialEvents"):
        return False
    world = request.server.world
    request.begin_stream()
    with world.lock:
        for body in world.objects.values():
            body["metadata"]["annotations"] = {"note": "t\u00e9mpo \U0001f600" * 20}
            request.event("ADDED", body, pieces=400)
            request.event("MODIFIED", body, pieces=400)  # and once more: the same again
        for _ in range(2000):
            request.event("BOOKMARK", world.bookmark())
        request.event("BOOKMARK", world.bookmark(initial=True))
    request.end_stream()
    return True


def unauthorized(rig):
    def answer(request):
        if request.headers["Authorization"] == "Bearer new":
            return False
        with open(rig.token, "w", encoding="ascii") as file:
            file.write("new\n")
        request.refuse(401, "Unauthorized")
        return True
    return answer


def faults(rig):
    yield "a line that is cut off", times(1, in_stream(b'{"type":"ADDED","object":{"metadata":{"na'))
    yield "bytes that are no JSON", times(1, in_stream(b"<html>\n"))
    yield "410 in the stream", times(1, in_stream(event("ERROR", status(410, "Expired"))))
    yield "an event of an unknown type", times(1, in_stream(event("SURPRISE", {"metadata": {}})))
    yield "429 with Retry-After", times(2, lambda r: r.refuse(429, "TooManyRequests", Retry_After="1"))
    yield "504, too large a version", times(1, lambda r: r.refuse(504, "Timeout", "ResourceVersionTooLarge"))
    yield "500", times(2, lambda r: r.refuse(500, "InternalError"))
    yield "410 on page 3", pages
    yield "characters cut in two, every object twice, 2000 bookmarks", split_utf8
    yield "401, then a new token", unauthorized(rig)
    yield "no streaming lists", times(99, lambda r: r.refuse(422, "Invalid") if r.query("sendInitialEvents") else False)


async def at_the_first_sync(checks):
    rig = Rig("kube-sync")
    for sentence, fault in faults(rig):
        rig.world.patched.clear()
        rig.world.fault = fault
        rig.controller.spawn()
        await rig.settle(checks, f"{sentence}: in the end everything is known")
        rig.world.fault = None
        rig.controller.stop()
    rig.world.stop()


async def objects_of_every_size(checks):
    rig = Rig("kube-large")
    rig.world.put("large", note="x" * 1_500_000)
    rig.controller.spawn()
    await rig.settle(checks, "an object of 1.5 MB is read")
    rig.world.put("later")
    await rig.settle(checks, "an object that comes later is read")
    rig.world.delete("large")
    rig.world.delete("a")
    await rig.settle(checks, "what is deleted goes")
    with rig.world.lock:
        rig.world.version, rig.world.history = 10, []
        rig.world.objects.pop("b")
        rig.world.put("restored")
        rig.world.history.append((999999, "MODIFIED", rig.world.objects["restored"]))
    await rig.settle(checks, "versions that go back: everything is read anew")
    rig.controller.stop()
    rig.world.stop()


CASES = [at_the_first_sync, objects_of_every_size]
