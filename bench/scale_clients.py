# SPDX-License-Identifier: Apache-2.0
"""What the benches of a large cluster share: its size, who follows it, and who changes it."""

import http.client
import json
import os
import random
import ssl
import subprocess
import threading
import time

from rubato import scope
from rubato.daemons import BUILD, CONTROLLER_NAME, Daemon, free_port, make_certs, wait_until

PODS = int(os.environ.get("PODS", "150000"))
NODES = PODS // 30
NAMESPACES = max(1, PODS // 300)
SYNC_S = 240
MB = 1 << 20


class Client:
    """A process that follows the cluster and tells by lines of JSON what it knows, with the time of each line."""

    def __init__(self, argv, channel):
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **{channel: subprocess.PIPE})
        self.lines, self.began = [], time.monotonic()
        scope.on_exit(scope.end_process, self.process)
        threading.Thread(target=self._read, args=(getattr(self.process, channel),), daemon=True).start()

    def _read(self, pipe):
        for line in pipe:
            self.lines.append((time.monotonic(), line))

    def wait_for(self, text, timeout_s, first=0, pause_s=0.001):
        """(time, line) of the first line from the first-th on that has the text, or None."""
        at, found = first, None

        def seen():
            nonlocal at, found
            while at < len(self.lines) and not found:
                found, at = (self.lines[at] if text in self.lines[at][1] else None), at + 1
            return found or self.process.poll() is not None
        wait_until(seen, timeout_s, pause_s)
        return found

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))

    def synced(self, text):
        """What the sync took; raises when there is none."""
        line = self.wait_for(text, SYNC_S, pause_s=0.02)
        if not line:
            raise RuntimeError(f"no sync within {SYNC_S} s: {self.lines[-3:]}")
        return {"wall": line[0] - self.began, "cpu": self.cpu_seconds(), "peak": self.peak_bytes(), "line": line[1]}

    def end(self):
        scope.end_process(self.process, 15)


class Writer:
    """Changes pods by PATCH, on one connection, and sees when a client has heard of it."""

    def __init__(self, server):
        context = ssl.create_default_context(cafile=server.pki.path("ca.crt"))
        context.load_cert_chain(server.pki.path("admin.crt"), server.pki.path("admin.key"))
        self.line = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=60, context=context)
        self.random = random.Random(1)

    def ask(self, method, path, body=None):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        self.line.request(method, path, body and json.dumps(body), {"Content-Type": kind})
        answer = self.line.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{path}: HTTP {answer.status} {text[:300]}")
        return json.loads(text)

    def some_pods(self, nr):
        """(namespace, name), here and there in the cluster."""
        pods = []
        for i in self.random.sample(range(NAMESPACES), min(10, NAMESPACES)):
            items = self.ask("GET", f"/api/v1/namespaces/team-{i:03}/pods?limit=100")["items"]
            pods += [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
        return self.random.choices(pods, k=nr)

    def latencies(self, client, marker, nr):
        """From sending a change to the client's telling that it has it, in ms."""
        took = []
        for i, (namespace, name) in enumerate(self.some_pods(nr)):
            first, began = len(client.lines), time.monotonic()
            self.ask("PATCH", f"/api/v1/namespaces/{namespace}/pods/{name}",
                     {"metadata": {"labels": {"change": str(time.time_ns())}}})
            heard = client.wait_for(marker(namespace, name), 10, first, 0.0005)
            if heard:
                took.append(1000 * (heard[0] - began))
            time.sleep(0.02 + 0.001 * (i % 10))
        if len(took) < nr:
            print(f"only {len(took)} of {nr} changes were heard of")
        return took


def controller(server, *extra, nodes=("fleet",)):
    """A controller that knows agents by their certificates, those of `nodes`; (the daemon, its Client)."""
    certs = os.path.join(server.home, "certs")
    make_certs(certs, *nodes)
    daemon = Daemon(CONTROLLER_NAME, [
        os.path.join(BUILD, "rubato-controller"), "--kubeconfig", server.kubeconfig, *extra,
        "--listen", f"127.0.0.1:{free_port()}", "--agent-identity", "certificate", "--tls-cert", f"{certs}/controller.crt",
        "--tls-key", f"{certs}/controller.key", "--tls-ca", f"{certs}/ca.crt"], os.path.join(server.home, "unused.log"))
    client = Client(daemon.argv, "stderr")
    daemon.process = client.process
    return daemon, client
