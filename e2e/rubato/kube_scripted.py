# SPDX-License-Identifier: Apache-2.0
"""An API server that does what a real one cannot be told to do.

What it does to the requests for a resource is chosen by the test: a function that gets the request (a Handler) and
returns whether it has answered it."""

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .kube_objects import KINDS, POLICIES, known, policy

WATCH_SECONDS = 60
LEASES = "/apis/coordination.k8s.io/v1/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body, **headers):
        """True, since it is answered."""
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
        return True

    def refuse(self, code, reason, cause=None, **headers):
        return self.reply(code, status(code, reason, cause), **headers)

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, kind, body, pieces=1):
        """One line of a watch, in so many chunks."""
        line = json.dumps({"type": kind, "object": body}, ensure_ascii=False).encode() + b"\n"
        step = max(1, len(line) // pieces)
        for at in range(0, len(line), step):
            self.chunk(line[at:at + step])

    def end_stream(self):
        self.chunk(b"")

    def left(self):
        """Has the other side closed?"""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def query(self, name):
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    @property
    def resource(self):
        return urlsplit(self.path).path.rsplit("/", 1)[1]

    def admitted(self):
        """Note who asks; False, and answered, when they may not."""
        world = self.server.world
        with world.lock:
            world.seen.append((self.path, self.headers))
            admits = world.admits
        if admits(self.headers["Authorization"]):
            return True
        self.refuse(401, "Unauthorized")
        return False

    def do_GET(self):
        world = self.server.world
        if not self.admitted():
            return
        if self.path.startswith(LEASES):
            self.give_lease()
            return
        with world.lock:
            world.requests.append(self.path)
            fault = world.faults.get(self.resource)
        try:
            if not (fault and fault(self)):
                world.serve(self)
        except OSError:
            self.close_connection = True

    def give_lease(self):
        lease = self.server.world.lease
        return self.reply(200, lease) if lease else self.refuse(404, "NotFound")

    def take_lease(self):
        """Whoever writes it has it; nobody else does."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.admitted():
            return
        body["metadata"] |= {"resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.server.world.lease = body
        self.reply(201 if self.command == "POST" else 200, body)

    do_POST = do_PUT = take_lease

    def do_PATCH(self):
        world = self.server.world
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.admitted():
            return
        with world.lock:
            world.patched[body["metadata"]["name"]] = body["status"]
        self.reply(200, body)


def status(code, reason, cause=None):
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason,
            "details": {"causes": [{"reason": cause}] if cause else []}}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hangs up, or does not like our certificate, is not news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*_)


class World:
    """`tls` is a server's SSLContext; `listener` a socket to take instead of one of the loopback interface."""

    def __init__(self, tls=None, listener=None):
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.faults = {}  # by resource
        self.admits = lambda authorization: True
        self.seen = []  # (path, headers)
        self.version = 100
        self.things = {resource: {} for resource in KINDS}  # by resource and key()
        self.history = {resource: [] for resource in KINDS}  # (version, type, body)
        self.began = {"cut": dict.fromkeys(KINDS, 0), "mute": dict.fromkeys(KINDS, 0)}
        self.streams = 0
        self.stopped = False
        self.requests, self.patched, self.lease = [], {}, None
        self.http = Server(("127.0.0.1", 0), Handler, bind_and_activate=not listener)
        if listener:
            self.http.socket.close()
            self.http.socket = listener
        host, self.port = self.http.socket.getsockname()[:2]
        if tls:
            # The handshake is for the thread of a connection, not for the one that accepts.
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.http.world = self
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"

    def stop(self):
        with self.lock:
            self.stopped = True
            self.news.notify_all()
        self.http.shutdown()
        self.http.server_close()

    @property
    def objects(self):
        """The policies, by name."""
        return self.things[POLICIES]

    @property
    def fault(self):
        """Of the policies."""
        return self.faults.get(POLICIES)

    @fault.setter
    def fault(self, fault):
        self.faults[POLICIES] = fault

    def put(self, name, hz=50, **annotations):
        """A policy."""
        self.add(POLICIES, policy(name, annotations=annotations, sampleRateHz=hz))

    def delete(self, name):
        self.remove(POLICIES, name)

    @staticmethod
    def key(body):
        about = body["metadata"]
        return about["name"] if body["kind"] != "Pod" else f"{about['namespace']}/{about['name']}"

    def add(self, resource, body):
        """Or replace."""
        with self.lock:
            things, key = self.things[resource], self.key(body)
            self.happen(resource, "MODIFIED" if key in things else "ADDED", body)
            things[key] = body

    def remove(self, resource, key):
        with self.lock:
            gone = self.things[resource].pop(key)
            self.happen(resource, "DELETED", gone | {"metadata": dict(gone["metadata"])})

    def happen(self, resource, kind, body):
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.history[resource].append((self.version, kind, body))
        self.news.notify_all()

    def restore(self, version):
        """What a backup does: the version goes back, and nothing tells of it."""
        with self.lock:
            self.version = version
            for events in self.history.values():
                events.clear()

    def cut(self, resource):
        """The streams under way end."""
        with self.lock:
            self.began["cut"][resource] = self.streams
            self.news.notify_all()

    def mute(self, resource):
        """The streams under way say nothing any more, and do not end."""
        with self.lock:
            self.began["mute"][resource] = self.streams

    def known(self):
        """What a controller must know, as lines of GET /debug/store."""
        with self.lock:
            return [known(body) for things in self.things.values() for body in things.values()]

    def bookmark(self, initial=False):
        notes = {"annotations": {"k8s.io/initial-events-end": "true"}} if initial else {}
        return {"metadata": {"resourceVersion": str(self.version)} | notes}

    def serve(self, request):
        """What a good server answers."""
        if request.query("watch"):
            self.watch(request)
        else:
            self.list(request)

    def list(self, request):
        """As Go writes it, no objects are null."""
        with self.lock:
            items = [{k: v for k, v in body.items() if k not in ("apiVersion", "kind")}
                     for body in self.things[request.resource].values()]
            request.reply(200, {"metadata": {"resourceVersion": str(self.version)}, "items": items or None})

    def silence(self, request):
        """Until whoever asked goes away, or all is over."""
        with self.lock:
            while not self.stopped and not request.left():
                self.news.wait(1)

    def watch(self, request):
        request.begin_stream()
        resource, events = request.resource, self.history[request.resource]
        with self.lock:
            self.streams += 1
            mine, at = self.streams, int(request.query("resourceVersion") or 0)
            if request.query("sendInitialEvents"):
                for body in self.things[resource].values():
                    request.event("ADDED", body)
                request.event("BOOKMARK", self.bookmark(initial=True))
                at = self.version
            end = time.monotonic() + min(WATCH_SECONDS, int(request.query("timeoutSeconds") or WATCH_SECONDS))
            while time.monotonic() < end and not self.stopped and mine > self.began["cut"][resource]:
                if mine <= self.began["mute"][resource]:
                    self.silence(request)
                for version, kind, body in [event for event in events if event[0] > at]:
                    request.event(kind, body)
                    at = version
                self.news.wait(max(0, end - time.monotonic()))
        request.end_stream()
