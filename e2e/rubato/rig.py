# SPDX-License-Identifier: Apache-2.0
"""A controller, an agent, a directory of manifests, and pods that are real processes in real cgroups."""

import json
import os
import subprocess
import time

from . import cgroups, pprof, scope
from .daemons import Agent, Controller, BUILD, make_certs, wait_until

API = "profiling.rubato.dev/v1alpha1"
NODE = "node-a"


def tool(name):
    return os.path.join(BUILD, "e2e", name)


class Pod:
    """One pod of one container; make() gives it the cgroup the kubelet would."""

    def __init__(self, root, namespace, name, labels=None, container="app"):
        self.namespace, self.name, self.container = namespace, name, container
        self.labels = labels or {}
        self.uid, self.cid = cgroups.new_uid(), cgroups.new_container_id()
        self.path = cgroups.kubelet_path(root, self.uid, self.cid)
        self.cgroup = None

    def make(self):
        self.cgroup = cgroups.Cgroup(self.path)
        return self

    def manifest(self, node):
        return {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": self.namespace, "name": self.name, "uid": self.uid,
                         "labels": self.labels},
            "spec": {"nodeName": node, "containers": [{"name": self.container}]},
            "status": {"phase": "Running", "containerStatuses": [
                {"name": self.container, "containerID": f"containerd://{self.cid}"}]},
        }

    def burn(self, duty=15, threads=1):
        self.cgroup.run(tool("burn"), "--duty", str(duty), "--threads", str(threads),
                        stdout=subprocess.DEVNULL)
        return self


def policy(namespace, name, hz, duration=None, **spec):
    spec["sampleRateHz"] = hz
    if duration:
        spec["duration"] = duration
    return {"apiVersion": API, "kind": "ProfilingPolicy",
            "metadata": {"namespace": namespace, "name": name}, "spec": spec}


class Fleet:
    """What can be seen of a controller, an agent and pods, wherever the objects are kept.  Has .controller, .agent, .pods and
    status(namespace, name): what the controller wrote of a policy, {} when there is nothing."""

    def condition(self, namespace, name, kind):
        for condition in self.status(namespace, name).get("conditions", []):
            if condition["type"] == kind:
                return condition["status"]
        return None

    def programmed(self, namespace, name, timeout_s=5):
        return wait_until(lambda: self.condition(namespace, name, "Programmed") == "True", timeout_s)

    def profiles(self, namespace=None, pod=None):
        return [p for p in pprof.read_all(self.agent.profiles)
                if namespace in (None, p.namespace) and pod in (None, p.pod)]

    def finish(self):
        """Stop the workloads, then the agent (which writes its last window).  Returns the exit statuses."""
        for pod in self.pods:
            pod.cgroup.stop()
        time.sleep(0.2)
        return self.agent.stop(), self.controller.stop()


class Rig(Fleet):
    """Own directories, ports, certificates.  All goes at the end unless RUBATO_KEEP (or home) says where it stays."""

    def __init__(self, name, boost_ttl="15s", window="2s", home=None, **agent_how):
        self.home = home or scope.temp_dir(f"rubato-{name}-", os.environ.get("RUBATO_KEEP"))
        self.root = f"{cgroups.make_root()}/{name}"
        make_certs(os.path.join(self.home, "certs"), NODE)
        build = agent_how.get("build", BUILD)
        env = agent_how.pop("controller_env", None)
        self.controller = Controller(self.home, boost_ttl, build=build, env=env)
        self.agent = Agent(self.home, self.controller.listen, NODE, window, **agent_how)
        self.pods = []
        self.write("node", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})

    def start(self):
        self.controller.start()
        self.agent.start()
        return self

    # Manifests.
    def path(self, name):
        return os.path.join(self.controller.source, f"{name}.json")

    def write(self, name, *objects):
        """Put the objects in place in one step.  Returns when, as CLOCK_REALTIME ns."""
        text = "---\n".join(json.dumps(o) + "\n" for o in objects)
        return self.write_bytes(f"{name}.json", text.encode())

    def write_bytes(self, file_name, data):
        path = os.path.join(self.controller.source, file_name)
        aside = os.path.join(self.controller.source, f".{file_name}.new")
        with open(aside, "wb") as file:
            file.write(data)
        now = time.time_ns()
        os.rename(aside, path)
        return now

    def delete(self, name):
        now = time.time_ns()
        os.unlink(self.path(name))
        return now

    def namespace(self, name):
        self.write(f"ns-{name}", {"apiVersion": "v1", "kind": "Namespace",
                                  "metadata": {"name": name, "uid": cgroups.new_uid()}})

    def pod(self, namespace, name, announce=True, make=True, **how):
        """A pod whose cgroup is made unless make is False, and its manifest written unless announce is."""
        if not os.path.exists(self.path(f"ns-{namespace}")):
            self.namespace(namespace)
        pod = Pod(self.root, namespace, name, **how)
        self.pods.append(pod)
        if make:
            pod.make()
        if announce:
            self.announce(pod)
        return pod

    def announce(self, pod):
        return self.write(f"pod-{pod.namespace}-{pod.name}", pod.manifest(NODE))

    def boost(self, namespace, name, hz, duration, **spec):
        return self.write(f"policy-{namespace}-{name}", policy(namespace, name, hz, duration, **spec))

    def unboost(self, namespace, name):
        return self.delete(f"policy-{namespace}-{name}")

    # What came of it.
    def status(self, namespace, name):
        """The status the controller wrote for a policy, {} when there is none."""
        path = os.path.join(self.controller.status, f"profilingpolicy.{namespace}.{name}.json")
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file).get("status") or {}
        except FileNotFoundError:
            return {}
