# SPDX-License-Identifier: Apache-2.0
"""The same fleet as in rig.py, by a real API server: objects are applied there, statuses are read there."""

import json
import os
import re

from . import api_server, cgroups, scope
from .api_proxy import ApiProxy
from .daemons import BUILD, CONTROLLER_NAME, REPO, Agent, Daemon, free_port, make_certs, wait_until
from .rig import NODE, Fleet, Pod, policy

SYSTEM, ACCOUNT, AUDIENCE = "rubato-system", "rubato-agent", "rubato-controller"
ROLE = os.path.join(REPO, "e2e", "manifests", "clusterrole.yaml")
USER = f"system:serviceaccount:{SYSTEM}:{CONTROLLER_NAME}"


def _object(kind, name, namespace=None):
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name} | where}


class Cluster:
    """An API server with our CRDs, role and ServiceAccounts, two nodes, and a controller that has exactly that role."""

    def __init__(self, name, *controller_extra, nodes=(NODE, "node-b"), home=None, server_extra=()):
        self.home = home or scope.temp_dir(f"rubato-{name}-", os.environ.get("RUBATO_KEEP"))
        self.server = api_server.ApiServer(self.home, server_extra).start()
        self.certs = os.path.join(self.home, "certs")
        self.install()
        self.apply(*(_object("Node", node) for node in nodes))
        self.listen = free_port()
        self.controller = self.make_controller(self.kubeconfig(), *controller_extra)

    def install(self):
        """What a cluster has when rubato is in it, and the certificates."""
        self.server.install_crds()
        self.apply(_object("Namespace", SYSTEM), *(_object("ServiceAccount", account, SYSTEM) for account in (ACCOUNT, CONTROLLER_NAME)))
        self.server.kubectl("apply", "--server-side", "-f", ROLE)
        make_certs(self.certs, "fleet")

    def kubeconfig(self, **cluster):
        """Of the controller's ServiceAccount."""
        path = self.write_token("controller", self.server.kubectl(
            "-n", SYSTEM, "create", "token", CONTROLLER_NAME, "--duration", "1h"))
        return self.server.write_kubeconfig("controller", {"tokenFile": path}, SYSTEM, **cluster)

    def make_controller(self, kubeconfig, *extra):
        return Daemon(CONTROLLER_NAME, [
            os.path.join(BUILD, "rubato-controller"), "--kubeconfig", kubeconfig,
            "--agent-service-account", f"{SYSTEM}:{ACCOUNT}", "--listen", f"127.0.0.1:{self.listen}",
            "--tls-cert", f"{self.certs}/controller.crt", "--tls-key", f"{self.certs}/controller.key",
            "--tls-ca", f"{self.certs}/ca.crt", *extra], os.path.join(self.home, "controller.log"))

    def write_token(self, name, token):
        path = os.path.join(self.home, f"{name}.token")
        with open(path, "w", encoding="ascii") as file:
            file.write(token.strip())
        return path

    def apply(self, *objects):
        """By `kubectl apply --server-side`."""
        return self.server.apply({"apiVersion": "v1", "kind": "List", "items": list(objects)})

    def get(self, path):
        """What the API server has there, or None."""
        code, json_object = self.server.request("GET", path)
        return json_object if code == 200 else None

    def schedule(self, namespace, name, node=NODE, account="default", labels=None, container="app"):
        """A pod that has a node, but does not run yet.  Returns its uid."""
        self.apply(_object("Pod", name, namespace) | {
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"nodeName": node, "serviceAccountName": account, "automountServiceAccountToken": False,
                     "containers": [{"name": container, "image": "e2e/nothing"}]}})
        return self.get(f"/api/v1/namespaces/{namespace}/pods/{name}")["metadata"]["uid"]

    def delete_pod(self, namespace, name):
        self.server.kubectl("-n", namespace, "delete", "pod", name, "--grace-period=0", "--force")

    def token(self, pod=None, account=ACCOUNT, audience=AUDIENCE):
        """A token as the kubelet projects it into an agent's pod."""
        bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod] if pod else []
        return self.server.kubectl("-n", SYSTEM, "create", "token", account, "--audience", audience, *bound).strip()


class KubeRig(Fleet):
    """A cluster, an agent on its first node that is known by its pod's token, and pods that are real processes in cgroups
    under the kubelet's names.  Raises tools.Missing where there is no API server."""

    def __init__(self, name, window="2s", controller_extra=(), cluster_class=Cluster, **cluster_how):
        self.cluster = cluster_class(name, *controller_extra, **cluster_how)
        self.server, self.controller = self.cluster.server, self.cluster.controller
        self.root = f"{cgroups.make_root()}/{name}"
        self.cluster.schedule(SYSTEM, "agent-a", account=ACCOUNT)
        token = self.cluster.write_token("agent-a", self.cluster.token("agent-a"))
        self.agent = Agent(self.cluster.home, self.cluster.listen, "fleet", window, extra=("--token-file", token))
        self.pods, self.namespaces = [], {SYSTEM}

    def through_proxy(self, *on_write):
        """To be called before start(): the controller asks an ApiProxy, which is returned."""
        proxy = ApiProxy(self.server, *on_write)
        self.controller = self.cluster.make_controller(self.cluster.kubeconfig(server=proxy.url))
        return proxy

    def start(self):
        self.controller.start(30)
        self.agent.start()
        if not wait_until(lambda: self.applied_agents() == 1, 15):
            raise RuntimeError(f"the agent did not connect: {self.agent.last_lines(2)}")
        return self

    def applied_agents(self):
        return self.controller.metrics().get('rubato_controller_agents{state="applied"}', 0)

    # Objects.
    def namespace(self, name):
        self.cluster.apply(_object("Namespace", name))
        self.namespaces.add(name)

    def pod(self, namespace, name, labels=None, node=NODE):
        """As the scheduler and the kubelet do it: the pod gets a node, its cgroup is made, its status says that it runs."""
        if namespace not in self.namespaces:
            self.namespace(namespace)
        return self.make_pod(namespace, name, lambda: self.cluster.schedule(namespace, name, node, labels=labels), labels)

    def make_pod(self, namespace, name, schedule, labels=None):
        """schedule() makes the object and returns its uid; the kubelet does the rest."""
        pod = Pod(self.root, namespace, name, labels)
        pod.uid = schedule()
        pod.path = cgroups.kubelet_path(self.root, pod.uid, pod.cid)
        pod.make()
        self.pods.append(pod)
        self._say_it_runs(pod)
        return pod

    def _say_it_runs(self, pod):
        status = pod.manifest(NODE)["status"]
        status["containerStatuses"][0] |= {"image": "e2e/nothing", "imageID": "", "ready": True, "restartCount": 0,
                                           "state": {"running": {}}}
        code, said = self.server.request("PATCH", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status",
                                         {"status": status}, "application/merge-patch+json")
        if code != 200:
            raise RuntimeError(f"pod {pod.name}: {said}")

    def delete_pod(self, pod):
        pod.cgroup.remove()
        self.cluster.delete_pod(pod.namespace, pod.name)
        self.pods.remove(pod)

    def boost(self, namespace, name, hz, duration, **spec):
        """By `kubectl apply`."""
        self.cluster.apply(policy(namespace, name, hz, duration, **spec))

    def unboost(self, namespace, name):
        self.server.kubectl("-n", namespace, "delete", "profilingpolicy", name)

    # What came of it.
    def policy(self, namespace, name):
        return self.cluster.get(f"/apis/profiling.rubato.dev/v1alpha1/namespaces/{namespace}/profilingpolicies/{name}") or {}

    def status(self, namespace, name):
        return self.policy(namespace, name).get("status") or {}

    def columns(self, namespace, name):
        """What `kubectl get profpol` prints of it, by the names of the columns; an empty cell is ""."""
        lines = self.server.kubectl("-n", namespace, "get", "profpol", name).splitlines()
        return cells(*lines) if len(lines) == 2 else {}

    def events(self, namespace):
        """Of `kubectl get events`: (reason, name of the policy), oldest first."""
        text = self.server.kubectl("-n", namespace, "get", "events", "-o", "json")
        return [(item["reason"], item["involvedObject"]["name"]) for item in json.loads(text)["items"]]

    def finish(self):
        statuses = super().finish()
        self.server.stop()
        return statuses


def cells(head, row):
    """A row of a table of kubectl's as a dict; columns begin where their names do."""
    names = list(re.finditer(r"\S+", head))
    ends = [name.start() for name in names[1:]] + [None]
    return {name[0]: row[name.start():end].strip() for name, end in zip(names, ends)}
