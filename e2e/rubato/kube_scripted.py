# SPDX-License-Identifier: Apache-2.0
"""An API server that does what a real one cannot be told to do.

It keeps ProfilingPolicies; the other resources are empty.  `fault` of a request is chosen by the test: a function
that gets the request (a Handler) and returns True when it has answered it itself."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

API = "profiling.rubato.dev/v1alpha1"
POLICIES = "profilingpolicies"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, code, body, **headers):
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code, reason, cause=None, **headers):
        self.reply(code, status(code, reason, cause), **headers)

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
        with world.lock:
            world.requests.append(self.path)
            fault = world.fault if self.resource == POLICIES else None
        try:
            if not (fault and fault(self)):
                world.serve(self)
        except OSError:
            self.close_connection = True

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
        self.fault = None
        self.admits = lambda authorization: True
        self.seen = []  # (path, headers)
        self.version = 100
        self.objects, self.history = {}, []
        self.requests, self.patched = [], {}
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
        self.http.shutdown()
        self.http.server_close()

    def put(self, name, hz=50, **annotations):
        with self.lock:
            self.version += 1
            kind = "MODIFIED" if name in self.objects else "ADDED"
            self.objects[name] = {
                "apiVersion": API, "kind": "ProfilingPolicy",
                "metadata": {"name": name, "namespace": "payments", "uid": f"uid-{name}", "generation": 1,
                             "annotations": annotations, "resourceVersion": str(self.version)},
                "spec": {"sampleRateHz": hz}}
            self.history.append((self.version, kind, self.objects[name]))

    def delete(self, name):
        with self.lock:
            self.version += 1
            gone = self.objects.pop(name)
            gone = gone | {"metadata": gone["metadata"] | {"resourceVersion": str(self.version)}}
            self.history.append((self.version, "DELETED", gone))

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
        with self.lock:
            mine = list(self.objects.values()) if request.resource == POLICIES else None
            request.reply(200, {"metadata": {"resourceVersion": str(self.version)}, "items": mine})

    def watch(self, request, seconds=60):
        request.begin_stream()
        with self.lock:
            at = int(request.query("resourceVersion") or 0)
            if request.query("sendInitialEvents"):
                for body in self.objects.values() if request.resource == POLICIES else ():
                    request.event("ADDED", body)
                request.event("BOOKMARK", self.bookmark(initial=True))
                at = self.version
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                for version, kind, body in self.history if request.resource == POLICIES else ():
                    if version > at:
                        request.event(kind, body)
                        at = version
            time.sleep(0.02)
        request.end_stream()
