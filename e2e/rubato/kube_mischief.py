# SPDX-License-Identifier: Apache-2.0
"""What an API server may do to a request: functions for World.faults.

Each gets a request (kube_scripted.Handler) and returns whether it has answered it."""

import json

from .kube_scripted import status


def times(nr, answer):
    """A fault that happens to the next nr requests that it fits."""
    left = [nr]

    def fault(request):
        if left[0] <= 0 or not answer(request):
            return False
        left[0] -= 1
        return True
    return fault


def either(*faults):
    """The first that fits."""
    return lambda request: any(fault(request) for fault in faults)


def refuse(*how, **headers):
    return lambda request: request.refuse(*how, **headers)


def in_stream(*lines):
    """A watch that says this, and ends."""
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


def refuse_streaming_lists(request):
    return bool(request.query("sendInitialEvents")) and request.refuse(422, "Invalid")


def silent(request):
    """200, and nothing more."""
    if not request.query("watch"):
        return False
    request.begin_stream()
    request.server.world.silence(request)
    return True


def hang_up(request):
    """No answer."""
    request.close_connection = True
    return True


def cut_list(request):
    """Half a list; then the connection ends."""
    if request.query("watch"):
        return False
    data = json.dumps({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "half"}}]}).encode()
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data[:-12])
    request.close_connection = True
    return True


def one_page(request, at):
    world = request.server.world
    with world.lock:
        items = list(world.things[request.resource].values())
        more = {"continue": str(at + 1)} if at + 1 < len(items) else {}
        return request.reply(200, {"metadata": {"resourceVersion": str(world.version)} | more,
                                   "items": items[at:at + 1]})


def pages():
    """No streaming lists, and the first watch has expired too; pages of one object, of which the third has expired."""
    first_watch = times(1, refuse(410, "Expired"))

    def fault(request):
        if refuse_streaming_lists(request):
            return True
        if request.query("watch"):
            return first_watch(request)
        if not request.query("limit"):
            return False
        at = int(request.query("continue") or 0)
        return request.refuse(410, "Expired") if at == 2 else one_page(request, at)
    return fault


def flood(request):
    """Everything in small pieces, twice, and bookmarks without end."""
    if not request.query("watch"):
        return False
    world = request.server.world
    request.begin_stream()
    with world.lock:
        initial = bool(request.query("sendInitialEvents"))
        for body in world.things[request.resource].values():
            request.event("ADDED" if initial else "MODIFIED", body, pieces=400)
            request.event("MODIFIED", body, pieces=400)
        for _ in range(2000):
            request.event("BOOKMARK", world.bookmark())
        request.event("BOOKMARK", world.bookmark(initial))
    request.end_stream()
    return True


FLEETING = [
    ("a line that is cut off", lambda: times(1, in_stream(b'{"type":"ADDED","object":{"metadata":{"na'))),
    ("bytes that are no JSON", lambda: times(1, in_stream(b"<html>\n"))),
    ("410 in the stream", lambda: times(1, in_stream(event("ERROR", status(410, "Expired"))))),
    ("an event of an unknown type", lambda: times(1, in_stream(event("SURPRISE", {"metadata": {}})))),
    ("429 with Retry-After", lambda: times(2, refuse(429, "TooManyRequests", Retry_After="1"))),
    ("504, too large a version", lambda: times(1, refuse(504, "Timeout", "ResourceVersionTooLarge"))),
    ("500", lambda: times(2, refuse(500, "InternalError"))),
    ("410", lambda: times(2, refuse(410, "Gone"))),
    ("no answer", lambda: times(2, hang_up)),
    ("no streaming lists, and a list that is cut off", lambda: either(refuse_streaming_lists, times(1, cut_list))),
    ("410 on page 3", pages),
    ("characters cut in two, every object twice, 2000 bookmarks", lambda: times(1, flood)),
    ("no streaming lists", lambda: refuse_streaming_lists),
]
