# SPDX-License-Identifier: Apache-2.0
"""The Helm chart: rendered, installed, and a fleet that runs by what it installed."""

import base64
import glob
import os
import subprocess

import yaml

from . import scope, tools
from .api_server import Refused
from .daemons import BUILD, CONTROLLER_NAME, REPO, Daemon
from .kube_rig import SYSTEM, Cluster

CHART = os.path.join(REPO, "charts", "rubato")
COMBINATIONS = sorted(glob.glob(f"{CHART}/ci/*.yaml"))
RELEASE = "rubato"
WAIT_S = 120


class Helm:
    """`kubeconfig` may be None: then it only renders."""

    def __init__(self, kubeconfig=None):
        self.binary = tools.find("helm")
        home = scope.temp_dir("rubato-helm-")
        self.env = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": kubeconfig or os.path.join(home, "none")}

    def __call__(self, *argv):
        """What it prints; raises Refused with what it said."""
        done = subprocess.run([self.binary, *argv], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=WAIT_S, check=False)
        if done.returncode:
            raise Refused((done.stderr or done.stdout).strip())
        return done.stdout

    def render(self, *argv):
        """The objects, hooks too."""
        return [each for each in yaml.safe_load_all(self("template", RELEASE, CHART, "-n", SYSTEM, *argv)) if each]

    def install(self, *argv):
        return self("install", RELEASE, CHART, "-n", SYSTEM, "--create-namespace", *argv)

    def upgrade(self, *argv):
        return self("upgrade", RELEASE, CHART, "-n", SYSTEM, *argv)


def pick(objects, kind, name=None):
    found = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found[0] if found else None


def secret(server, name):
    """Its files as text, and its annotations."""
    _, found = server.request("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{name}")
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}, found["metadata"]["annotations"]


class ChartCluster(Cluster):
    """An API server with the chart in it, as it is; the controller runs by the ConfigMap, Secrets and roles of the chart."""

    def install(self):
        Helm(self.server.kubeconfig).install()
        os.makedirs(self.certs)
        for name, ours in (("controller", "controller"), ("agent", "fleet")):
            files, _ = secret(self.server, f"{RELEASE}-{name}-tls")
            self.write("ca.crt", files["ca.crt"])
            self.write(f"{ours}.crt", files["tls.crt"])
            self.write(f"{ours}.key", files["tls.key"])

    def write(self, name, text):
        path = os.path.join(self.certs, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def make_controller(self, kubeconfig, *extra):
        """By the chart's own configuration, but for where the certificates lie."""
        config = self.get(f"/api/v1/namespaces/{SYSTEM}/configmaps/{CONTROLLER_NAME}")["data"]["config.yaml"]
        for inside, ours in (("tls.crt", "controller.crt"), ("tls.key", "controller.key"), ("ca.crt", "ca.crt")):
            config = config.replace(f"/etc/rubato/tls/{inside}", os.path.join(self.certs, ours))
        return Daemon(CONTROLLER_NAME, [os.path.join(BUILD, CONTROLLER_NAME), "--config", self.write("controller.yaml", config),
                                        "--kubeconfig", kubeconfig, "--listen", f"127.0.0.1:{self.listen}", *extra],
                      os.path.join(self.home, "controller.log"))
