# SPDX-License-Identifier: Apache-2.0
"""A controller as a client of a scripted API server: what a kubeconfig says, and what came of it."""

import json
import os
import ssl
import urllib.error
import urllib.request

from . import scope
from .api_server import Pki
from .daemons import BUILD, CONTROLLER_NAME, Daemon, free_port, make_certs
from .kube_scripted import World

POLICIES = 'rubato_controller_policies{kind="ProfilingPolicy"}'
NO_ENVIRONMENT = {name: "" for base in ("https_proxy", "http_proxy", "no_proxy", "kubeconfig", "kubernetes_service_host")
                  for name in (base, base.upper())}


class Client:
    def __init__(self, name, tls=False, **world):
        self.home = scope.temp_dir(f"rubato-{name}-", os.environ.get("RUBATO_KEEP"))
        self.pki = self.serving = None
        if tls:
            self.pki = Pki(self.path("pki"))
            self.pki.sign("server", "/CN=api", "DNS:kubernetes.test")
            self.serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.serving.load_cert_chain(self.pki.path("server.crt"), self.pki.path("server.key"))
        self.world = World(self.serving, **world)
        self.world.put("a")
        make_certs(self.path("certs"), "node-a")
        self.controller = None

    def path(self, name):
        return os.path.join(self.home, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name) + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, mode)
        os.rename(file.name, self.path(name))
        return self.path(name)

    def config(self, user=None, name="kubeconfig", **cluster):
        """A kubeconfig; members of the cluster have "_" for "-"."""
        about = {"server": self.world.url} | {key.replace("_", "-"): value for key, value in cluster.items()}
        return self.write(name, json.dumps({
            "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {k: v for k, v in about.items() if v is not None}}],
            "users": [{"name": "x", "user": user or {}}]}))

    def argv(self, *more):
        certs = self.path("certs")
        return [os.path.join(BUILD, CONTROLLER_NAME), "--listen", f"127.0.0.1:{free_port()}",
                "--tls-cert", f"{certs}/controller.crt", "--tls-key", f"{certs}/controller.key",
                "--tls-ca", f"{certs}/ca.crt", *more]

    def spawn(self, *more, env=None, wrap=()):
        self.controller = Daemon(CONTROLLER_NAME, self.argv(*more), self.path("controller.log"), wrap=wrap,
                                 env=NO_ENVIRONMENT | (env or {}))
        self.controller.spawn()
        return self.controller

    def knows(self, nr):
        """Has it read so many policies, and written the status of each?"""
        with self.world.lock:
            written = len(self.world.patched)
        return self.controller.metrics().get(POLICIES) == nr and written >= nr

    def why_not_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.controller.port}/readyz", timeout=2):
                return ""
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError as error:
            return str(error)

    def stop(self):
        if self.controller:
            self.controller.stop()
        self.world.patched.clear()
        self.world.seen.clear()

    def finish(self):
        self.stop()
        self.world.stop()
