# SPDX-License-Identifier: Apache-2.0
"""Between a client and an API server: it passes everything on, can act between a write and its answer, and can be cut."""

import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import scope

WRITES = ("POST", "PATCH", "PUT", "DELETE")
NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.cut:
            self.close_connection = True
            return
        line = self.server.upstream()
        try:
            line.request(self.command, self.path, body or None, dict(self.headers))
            answer = line.getresponse()
            # A review changes nothing on the server, so whoever asks is not in its midst.
            if self.command in WRITES and "tokenreviews" not in self.path and not self.server.wrote(self.command, self.path):
                self.close_connection = True
                return
            self._relay(answer)
        except OSError:
            self.close_connection = True
        finally:
            line.close()

    def _relay(self, answer):
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (data := answer.read1(65536)) and not self.server.cut:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        if self.server.cut:
            raise ConnectionAbortedError
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass_on


class ApiProxy(ThreadingHTTPServer):
    """`on_write(number, method, path)` is called when the server has done a write, the answer not passed on yet; the answer is
    lost when it returns False.  Numbers begin with 1 after each reset().  While `cut` nothing goes through: what comes is
    lost, and its connection with it."""

    daemon_threads = True

    def __init__(self, server, on_write=lambda *_: True):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cut = False
        self._api, self._on_write, self._lock, self._writes = server, on_write, threading.Lock(), 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.pki.path("apiserver.crt"), server.pki.path("apiserver.key"))
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._trust = ssl.create_default_context(cafile=server.pki.path("ca.crt"))
        threading.Thread(target=self.serve_forever, daemon=True).start()
        scope.on_exit(self.stop)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        """A client that was killed is what this is for."""

    def upstream(self):
        return http.client.HTTPSConnection("127.0.0.1", self._api.port, context=self._trust)

    def wrote(self, method, path):
        with self._lock:
            self._writes += 1
            return self._on_write(self._writes, method, path)

    def reset(self):
        with self._lock:
            self._writes = 0

    def stop(self):
        self.shutdown()
        self.server_close()
