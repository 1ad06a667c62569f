#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A large cluster: what the controller takes to read all of it and how soon it knows of a change; and the same of a
client-go informer, on the same real API server.

150,000 pods of 7 KB on 5,000 nodes are put into etcd before the API server starts (bench/scale/fill).  Then one after
the other, each alone: the controller, an informer as client-go makes it, an informer told to read JSON (the API server
has no other form of custom resources).  PODS=10000 makes the cluster smaller; the figures are then named after it."""

import http.client
import json
import os
import random
import ssl
import subprocess
import sys
import threading
import time

from rubato import scope, tools
from rubato.api_server import ApiServer
from rubato.daemons import BUILD, CONTROLLER_NAME, Daemon, free_port, make_certs, wait_until
from rubato.figures import Figures, percentile

PODS = int(os.environ.get("PODS", "150000"))
NODES = PODS // 30
NAMESPACES = max(1, PODS // 300)
START_S, SYNC_S = 300, 240
EVENTS = 200
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
        self.line.request(method, path, body and json.dumps(body), {"Content-Type": "application/merge-patch+json"})
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


def start_cluster(home):
    """An API server that has all the pods, and our CRDs."""
    fill = tools.find("scale-fill")
    server = ApiServer(home)
    server.start_etcd("--quota-backend-bytes", str(8 << 30), "--log-level", "error")
    began = time.monotonic()
    size = subprocess.run([fill, "-etcd", f"http://127.0.0.1:{server.etcd_port}", "-pods", str(PODS), "-nodes", str(NODES),
                           "-namespaces", str(NAMESPACES)], capture_output=True, text=True, check=True).stdout
    print(f"{PODS} pods of {size.strip()} bytes on {NODES} nodes are in etcd after {time.monotonic() - began:.0f} s", flush=True)
    server.start_server(START_S)
    server.install_crds()
    Writer(server).ask("GET", "/api/v1/pods?resourceVersion=0&fieldSelector=metadata.name%3Dx")  # its cache is filled
    print(f"the API server has them after {time.monotonic() - began:.0f} s", flush=True)
    return server


def measure_controller(server):
    certs = os.path.join(server.home, "certs")
    make_certs(certs, "fleet")
    daemon = Daemon(CONTROLLER_NAME, [
        os.path.join(BUILD, "rubato-controller"), "--kubeconfig", server.kubeconfig, "--log-level", "debug",
        "--listen", f"127.0.0.1:{free_port()}", "--agent-identity", "certificate", "--tls-cert", f"{certs}/controller.crt",
        "--tls-key", f"{certs}/controller.key", "--tls-ca", f"{certs}/ca.crt"], os.path.join(server.home, "unused.log"))
    client = Client(daemon.argv, "stderr")
    daemon.process = client.process
    took = client.synced(b"everything is read from the Kubernetes API")
    wait_until(daemon.ready, 30)
    time.sleep(3)  # the plans of all nodes are made
    took["lag"] = 1000 * daemon.metrics()["rubato_controller_loop_lag_max_seconds"]
    took["with_plans"] = client.peak_bytes()
    took["events"] = Writer(server).latencies(client, lambda namespace, name: f'"namespace":"{namespace}","name":"{name}"'.encode(), EVENTS)
    client.end()
    return took


def measure_informer(server, *argv):
    client = Client([tools.find("scale-informer"), "-kubeconfig", server.kubeconfig, *argv], "stdout")
    took = client.synced(b'"synced"')
    took["lag"] = json.loads(took["line"])["synced"]["lag_max_ms"]
    time.sleep(2)
    took["events"] = Writer(server).latencies(client, lambda namespace, name: f'"changed": "{namespace}/{name}"'.encode(), EVENTS)
    client.end()
    return took


def tell(who, took):
    print(f"{who}: {took['wall']:.1f} s, CPU {took['cpu']:.1f} s, at most {took['peak'] / MB:.0f} MB, lag {took['lag']:.0f} ms, "
          f"a change after {percentile(took['events'], 50):.1f} ms", flush=True)


def report(figures, ours, peer, of_json):
    sync = f"sync_{PODS // 1000}k"
    figures.add(f"{sync}_cpu", ours["cpu"], "s", 20, round(peer["cpu"], 2))
    figures.add(f"{sync}_peak_rss", ours["peak"] / MB, "MB", 80, round(peer["peak"] / MB))
    figures.add(f"{sync}_loop_lag_max", ours["lag"], "ms", 50, round(peer["lag"], 1))
    figures.add(f"{sync}_peak_rss_with_plans", ours["with_plans"] / MB, "MB")
    figures.add(f"{sync}_wall", ours["wall"], "s", None, round(peer["wall"], 1))
    for percent in (50, 99):
        figures.add(f"event_to_store_p{percent}", percentile(ours["events"], percent), "ms", None,
                    round(percentile(peer["events"], percent), 2))
    figures.add(f"{sync}_cpu_informer_json", of_json["cpu"], "s")
    figures.add(f"{sync}_peak_rss_informer_json", of_json["peak"] / MB, "MB")


def main():
    scope.install()
    figures = Figures("kube", shared=True)
    try:
        server = start_cluster(scope.temp_dir("rubato-scale-"))
        tools.find("scale-informer")
    except tools.Missing as why:
        print(f"The bench cannot run here: {why}", file=sys.stderr)
        return 1
    ours = measure_controller(server)
    tell("controller", ours)
    peer = measure_informer(server)
    tell("informer", peer)
    of_json = measure_informer(server, "-content-type", "application/json")
    tell("informer, JSON", of_json)
    report(figures, ours, peer, of_json)
    figures.print()
    print(f"written to {figures.write()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
