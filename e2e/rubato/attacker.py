# SPDX-License-Identifier: Apache-2.0
"""Mallory: she has `edit` in one namespace of a real API server, and may write statuses there, too."""

import http.client
import json
import ssl

from .kube_rig import NODE

ME = "mallory"
EDIT = ("system:aggregate-to-edit", "system:aggregate-to-view")  # what `edit` is made of, by a controller that does not run here
RBAC = "rbac.authorization.k8s.io"


def _object(kind, name, **members):
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name, "namespace": ME}} | members


def _binding(kind, name):
    return _object("RoleBinding", name.replace(":", "-"), roleRef={"apiGroup": RBAC, "kind": kind, "name": name},
                   subjects=[{"apiGroup": RBAC, "kind": "User", "name": ME}])


class Attacker:
    """What she asks for, in her own name.  Answers are (code, object)."""

    def __init__(self, cluster):
        self.server = cluster.server
        self.server.user(ME, f"/CN={ME}")
        cluster.apply(_object("Role", "policies", rules=[
            {"apiGroups": ["profiling.rubato.dev"], "resources": ["profilingpolicies", "profilingpolicies/status"], "verbs": ["*"]}]),
            _binding("Role", "policies"), *(_binding("ClusterRole", name) for name in EDIT))
        self._connection = None

    def _connect(self):
        context = ssl.create_default_context(cafile=self.server.pki.path("ca.crt"))
        context.load_cert_chain(self.server.pki.path(f"{ME}.crt"), self.server.pki.path(f"{ME}.key"))
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=60, context=context)

    def ask(self, method, path, body=None, kind="application/json"):
        self._connection = self._connection or self._connect()
        self._connection.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")

    def must(self, *question):
        code, said = self.ask(*question)
        if code not in (200, 201):
            raise RuntimeError(f"{question[:2]}: {code} {said.get('message')}")
        return said

    def pod(self, name, annotations=None, env=None, labels=None):
        """One that no kubelet runs yet.  Returns its uid."""
        return self.must("POST", f"/api/v1/namespaces/{ME}/pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "annotations": annotations or {}, "labels": labels or {}},
            "spec": {"nodeName": NODE, "automountServiceAccountToken": False, "containers": [
                {"name": "app", "image": "e2e/nothing", "env": [{"name": "E", "value": env}] if env else []}]}})["metadata"]["uid"]
