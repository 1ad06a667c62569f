# SPDX-License-Identifier: Apache-2.0
"""A backend that does as a script says, on HTTP or HTTPS; it keeps what it took as the file sink would."""

import base64
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time
from collections import Counter

from . import pprof, scope

PYROSCOPE, PARCA = "/push.v1.PusherService/Push", "/api/profiles/writeraw"


def _pyroscope_series(body):
    """[(labels, pprof)] of a push.v1.PushRequest."""
    for number, series in pprof.fields(body):
        labels, raw = {}, b""
        for kind, value in pprof.fields(series) if number == 1 else ():
            pair = dict(pprof.fields(value))
            if kind == 1:
                labels[pair[1].decode()] = pair[2].decode()
            elif kind == 2:
                raw = pair[1]
        yield labels, raw


def _parca_series(body):
    for series in json.loads(body)["series"]:
        labels = {pair["name"]: pair["value"] for pair in series["labels"]["labels"]}
        yield labels, base64.b64decode(series["samples"][0]["rawProfile"], validate=True)


class Request:
    """What came: the path, the headers (as http.client has them), [(labels, pprof)], and when."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.at = path, headers, time.monotonic()
        self.series = list(_pyroscope_series(body) if path.endswith(PYROSCOPE) else _parca_series(body))

    @property
    def tenant(self):
        return self.headers.get("X-Scope-OrgID", "")

    @property
    def namespaces(self):
        return {labels.get("namespace") for labels, _ in self.series}


class SinkServer:
    """`script(request, nr)` answers (code, headers, body), or does something to the socket and returns None.  `nr` counts the
    requests of the tenant.  With 2xx the profiles are taken."""

    def __init__(self, script=lambda request, nr: (200, {}, b"{}"), tls=None, port=0):
        self.directory = scope.temp_dir("rubato-sink-")
        self.script, self.requests, self.taken = script, [], 0
        self._lock, self._numbers = threading.Lock(), Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                outer._serve(self)

            def do_GET(self):
                self.send_error(404)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                if not isinstance(sys.exc_info()[1], OSError):  # whose client has gone
                    super().handle_error(request, client_address)

        self._server = Server(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        scope.on_exit(self.stop)

    def _serve(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        request = Request(handler.path, handler.headers, body)
        with self._lock:
            self.requests.append(request)
            number = self._numbers[request.tenant]
            self._numbers[request.tenant] += 1
        handler.close_connection = False
        answer = self.script(request, number) if self.script.__code__.co_argcount == 2 else self.script(request, number, handler)
        if answer is None:
            handler.close_connection = True
            return
        code, headers, text = answer
        if 200 <= code < 300:
            with self._lock:
                self._keep(request)
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        if code != 204:
            handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text if code != 204 else b"")

    def _keep(self, request):
        for labels, raw in request.series:
            place = os.path.join(self.directory, labels["namespace"], labels["pod"], labels["container"])
            os.makedirs(place, exist_ok=True)
            self.taken += 1
            path = os.path.join(place, f"{self.taken:08}-0hz.pb.gz")
            with open(path, "wb") as file:
                file.write(raw)
            os.rename(path, os.path.join(place, f"{self.taken:08}-{pprof.Profile(path).rate_hz}hz.pb.gz"))

    def profiles(self):
        return pprof.read_all(self.directory)

    def of(self, tenant):
        return [request for request in self.requests if request.tenant == tenant]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def server_tls(certs, need_client):
    """By the certificates of make-certs.sh."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certs}/controller.crt", f"{certs}/controller.key")
    if need_client:
        context.load_verify_locations(f"{certs}/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def reset(handler):
    """Close with RST, in the middle of an answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()


def trickle(handler):
    """An answer before the answer, a few bytes a second."""
    for byte in b"HTTP/1.1 100 Continue\r\n\r\n":
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.1)


def identity(profile):
    """The same in a file and in what a backend took."""
    return profile.namespace, profile.pod, profile.container, profile.time_ns, profile.rate_hz, profile.cpu_ns()
