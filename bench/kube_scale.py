#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A large cluster: what the controller takes to read all of it and how soon it knows of a change; and the same of a
client-go informer, on the same real API server.

150,000 pods of 7 KB on 5,000 nodes are put into etcd before the API server starts (bench/scale/fill).  Then one after
the other, each alone: the controller, an informer as client-go makes it, an informer told to read JSON (the API server
has no other form of custom resources).  PODS=10000 makes the cluster smaller; the figures are then named after it."""

import json
import os
import subprocess
import sys
import time

import scale_policies
from rubato import scope, tools
from rubato.api_server import ApiServer
from rubato.figures import Figures, percentile
from rubato.daemons import wait_until
from scale_clients import MB, NAMESPACES, NODES, PODS, Client, Writer, controller

START_S = 300
EVENTS = 200


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
    daemon, client = controller(server, "--log-level", "debug")
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
    scale_policies.report(figures, scale_policies.measure(server))
    figures.print()
    print(f"written to {figures.write()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
