# SPDX-License-Identifier: Apache-2.0
"""rubato as a cluster installs it, programs of three languages in two namespaces, and what can be seen of both.

What is seen does not come from the daemons where that is possible: samples are read from the kernel's maps, CPU time from the
kernel's account, the rest from the API server."""

import json
import os
import urllib.request
from collections import namedtuple

from .. import cgroups, pprof
from ..bpfmaps import RateLog, SampleRows
from ..daemons import REPO, wait_until
from ..rig import policy
from .images import WORK
from .space import kubepods

RELEASE, SYSTEM = "rubato", "rubato-system"
CHART = os.path.join(REPO, "charts", "rubato")

Container = namedtuple("Container", "namespace pod name uid cid")


def deployment(namespace, name, command, replicas=1, cpu="100m", labels=None):
    labels = {"app": name} | (labels or {})
    container = {"name": "app", "image": WORK, "imagePullPolicy": "Never", "command": command,
                 "resources": {"limits": {"cpu": cpu, "memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "16Mi"}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": labels}, "spec": {
            "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1, "containers": [container]}}}}


# C, Go and Python.
WORKLOADS = [
    deployment("payments", "settlement", ["/payments"]),
    deployment("payments", "pricing", ["/spin"]),
    deployment("search", "ranking", ["/usr/bin/python3", "-S", "/spin.py"]),
    deployment("search", "query", ["/search"]),
]


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


class Stage:
    def __init__(self, cluster):
        self.cluster, self.server = cluster, cluster.server
        self.kubectl, self.helm, self.begin_kubectl = cluster.kubectl, cluster.helm, cluster.begin_kubectl
        self.figures = None

    # Setting it.
    def images_wanted(self, *values):
        """{component: image} as the chart names them."""
        text = self.helm("template", RELEASE, CHART, "--namespace", SYSTEM, *values)
        found = {}
        for line in text.splitlines():
            word = line.strip().removeprefix("image: ").strip('"')
            for component in ("controller", "agent"):
                if line.strip().startswith("image: ") and f"rubato-{component}" in word:
                    found[component] = word
        return found

    def load_images(self, directory):
        for component, image in self.images_wanted().items():
            self.cluster.load_oci(os.path.join(directory, f"rubato-{component}.tar"), image)

    def _wait_for_agents(self):
        # helm does not wait for a DaemonSet of which a tenth may be unavailable: one pod is less than that.
        self.kubectl("-n", SYSTEM, "rollout", "status", "daemonset/rubato-agent", "--timeout=60s")

    def install(self, *values):
        self.helm("install", RELEASE, CHART, "--namespace", SYSTEM, "--create-namespace", "--wait", "--timeout", "90s", *values)
        self._wait_for_agents()

    def upgrade(self, *values):
        self.helm("upgrade", RELEASE, CHART, "--namespace", SYSTEM, "--wait", "--timeout", "90s", *values)
        self._wait_for_agents()

    def rollback(self):
        self.helm("rollback", RELEASE, "--namespace", SYSTEM, "--wait", "--timeout", "90s")
        self._wait_for_agents()

    def start_workloads(self):
        self.server.apply(*(namespace(name) for name in ("payments", "search")))
        self.server.apply(*WORKLOADS)
        for item in WORKLOADS:
            meta = item["metadata"]
            self.kubectl("-n", meta["namespace"], "rollout", "status", f"deployment/{meta['name']}", "--timeout=60s")

    # Objects.
    def get(self, *argv):
        return json.loads(self.kubectl("get", *argv, "-o", "json"))

    def containers(self, where, selector=""):
        """Those that run, of a namespace, and stay."""
        pods = self.get("-n", where, "pods", "-l", selector)["items"]
        return [Container(where, pod["metadata"]["name"], status["name"], pod["metadata"]["uid"], status["containerID"].split("//")[1])
                for pod in pods if "deletionTimestamp" not in pod["metadata"]
                for status in pod.get("status", {}).get("containerStatuses", ()) if status["state"].get("running")]

    def boost(self, where, name, hz, duration, **spec):
        self.server.apply(policy(where, name, hz, duration, **spec))

    def unboost(self, where, name):
        self.kubectl("-n", where, "delete", "profpol", name, "--wait=true")

    def status(self, where, name):
        try:
            return self.get("-n", where, "profpol", name).get("status") or {}
        except RuntimeError:
            return {}

    def until_status(self, where, name, true, timeout_s=15):
        """Its status when that is true, else the last one."""
        wait_until(lambda: true(self.status(where, name)), timeout_s, 0.2)
        return self.status(where, name)

    # Our own pods.
    def ours(self, component):
        """(container, address of its pod) of the daemon that runs."""
        selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component={component}"
        pods = [pod for pod in self.get("-n", SYSTEM, "pods", "-l", selector)["items"] if not pod["metadata"].get("deletionTimestamp")]
        found = self.containers(SYSTEM, selector)
        addresses = {pod["metadata"]["name"]: pod["status"].get("podIP") for pod in pods}
        alive = [(c, addresses[c.pod]) for c in found if addresses.get(c.pod)]
        return alive[-1] if alive else (None, None)

    def metrics(self, component):
        """{'name{label="x"}': value}, {} while it does not answer."""
        _, address = self.ours(component)
        try:
            with urllib.request.urlopen(f"http://{address}:{8080 if component == 'controller' else 8081}/metrics", timeout=3) as answer:
                lines = (line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[:1] not in "#")
                return {name: float(value) for name, value in (pair for pair in lines if len(pair) == 2)}
        except OSError:
            return {}

    def until_agents(self, state, number, timeout_s=20):
        """The controller counts so many agents in that state."""
        return wait_until(lambda: self.metrics("controller").get(f'rubato_controller_agents{{state="{state}"}}') == number, timeout_s, 0.2)

    def log(self, component):
        container, _ = self.ours(component)
        return self.kubectl("-n", SYSTEM, "logs", container.pod) if container else ""

    def why(self):
        """What a person would look at when it does not start."""
        argvs = [("get", "pods", "-A", "-o", "wide"), ("-n", SYSTEM, "get", "events")]
        argvs += [("-n", SYSTEM, "logs", "--all-containers", "--tail=10", "--prefix", "-l", f"app.kubernetes.io/component={component}")
                  for component in ("controller", "agent")]
        said = []
        for argv in argvs:
            try:
                said.append(self.kubectl(*argv))
            except RuntimeError as error:
                said.append(str(error))
        return "\n".join(said)

    # The kernel.
    def cgroup_dir(self, container, root=None):
        """Of a container, below the mount of cgroup2 or another one."""
        root = root or cgroups.v2_root()
        for qos in ("", "burstable", "besteffort"):
            path = os.path.join(root, "kubepods", qos, f"pod{container.uid}", container.cid)
            if os.path.isdir(path):
                return path
        return None

    def cgroup_id(self, container):
        path = self.cgroup_dir(container)
        return os.stat(path).st_ino if path else None

    def pid(self, container):
        with open(os.path.join(self.cgroup_dir(container), "cgroup.procs"), encoding="ascii") as file:
            return int(file.read().split()[0])

    def cpu_seconds(self, container):
        """The kernel's account of a container, in the hierarchy that has its quota."""
        for top in kubepods():
            path = self.cgroup_dir(container, os.path.dirname(top))
            for name, unit in (("cpuacct.usage", 1e9), ("cpu.stat", 1e6)):
                if path and os.path.exists(file := os.path.join(path, name)):
                    with open(file, encoding="ascii") as text:
                        words = text.read().split()
                    if name == "cpuacct.usage":
                        return int(words[0]) / unit
                    if "usage_usec" in words:
                        return int(words[words.index("usage_usec") + 1]) / unit
        return None

    def rows(self):
        """The agent's maps, as the kernel has them now."""
        container, _ = self.ours("agent")
        return SampleRows(self.pid(container))

    def rate_log(self):
        return RateLog(self.rows())

    def profiles(self, where):
        """Those that the agent wrote on the node."""
        directory = self.cluster.path("rubato", "profiles")
        return [p for p in pprof.read_all(directory) if p.namespace == where]
