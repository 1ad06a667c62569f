# SPDX-License-Identifier: Apache-2.0
"""Who may do what, and who stands before the control port."""

import base64
import json
import os
import socket
import ssl
import struct

from rubato.onenode.stage import SYSTEM
from rubato.rig import policy

PORT = 4320
AGENT = f"system:serviceaccount:{SYSTEM}:rubato-agent"
# What everybody who is known may ask of any API server: about itself, and which resources there are.
EVERYBODYS = {"selfsubjectreviews.authentication.k8s.io", "selfsubjectaccessreviews.authorization.k8s.io",
              "selfsubjectrulesreviews.authorization.k8s.io", "clustertrustbundles.certificates.k8s.io"}


def _may(stage, who, *argv):
    """Whether the API server does it, not whether it says that it would."""
    try:
        stage.kubectl(*argv, kubeconfig=who)
        return True
    except RuntimeError as why:
        if "forbidden" not in str(why).lower():
            raise
        return False


def _user(stage, name, role, where):
    kubeconfig = stage.server.user(name, f"/CN={name}")
    stage.kubectl("-n", where, "create", "rolebinding", name, f"--clusterrole={role}", f"--user={name}")
    return kubeconfig


def _boost_by(stage, who, where):
    body = os.path.join(stage.cluster.home, f"by-{where}.json")
    with open(body, "w", encoding="ascii") as file:
        file.write(json.dumps(policy(where, "by-hand", 100, "20s")))
    return _may(stage, who, "apply", "-f", body)


def people(stage, checks):
    editor, viewer = (_user(stage, name, role, "payments") for name, role in (("erin", "edit"), ("vera", "view")))
    checks.check("edit of a namespace may boost it (rubato-edit is part of edit)", _boost_by(stage, editor, "payments"))
    checks.check("... and no other one", not _boost_by(stage, editor, "search"))
    checks.check("... and delete it again", _may(stage, editor, "-n", "payments", "delete", "profpol", "by-hand"))
    fleet = {"apiVersion": "profiling.rubato.dev/v1alpha1", "kind": "ClusterProfilingPolicy", "metadata": {"name": "own"},
             "spec": {"limits": {"maxSampleRateHz": 200}}}
    path = os.path.join(stage.cluster.home, "own.json")
    with open(path, "w", encoding="ascii") as file:
        file.write(json.dumps(fleet))
    checks.check("... nor lift the ceilings", not _may(stage, editor, "apply", "-f", path))
    stage.boost("payments", "seen", 100, "20s")
    checks.check("... nor write what came of it", not _may(stage, editor, "-n", "payments", "patch", "profpol", "seen", "--subresource=status",
                                                           "--type=merge", "-p", '{"status":{"expiresAt":"2099-01-01T00:00:00Z"}}'))
    checks.check("view of a namespace may see its policies (rubato-view is part of view)", _may(stage, viewer, "-n", "payments", "get", "profpol", "seen"))
    checks.check("... and may not boost", not _boost_by(stage, viewer, "payments"))
    checks.check("... nor end one", not _may(stage, viewer, "-n", "payments", "delete", "profpol", "seen"))
    checks.check("... nor see another namespace's", not _may(stage, viewer, "-n", "search", "get", "profpol"))
    stage.unboost("payments", "seen")


def a_ceiling_holds(stage, checks):
    stage.boost("payments", "high", 200, "20s")
    status = stage.until_status("payments", "high", lambda s: s.get("effectiveSampleRateHz"))
    clamped = {c["type"]: c["status"] for c in status.get("conditions", ())}.get("Clamped")
    checks.check("200 Hz are clamped to the 100 of the chart's default policy, and the status says so",
                 (status.get("effectiveSampleRateHz"), clamped) == (100, "True"), f"{status.get('effectiveSampleRateHz')} Hz, Clamped={clamped}")
    stage.unboost("payments", "high")


def the_agents_account_can_do_nothing(stage, checks):
    said = stage.kubectl("auth", "can-i", "--list", f"--as={AGENT}", "--as-group=system:serviceaccounts", "--as-group=system:authenticated",
                         "--as-group=system:serviceaccounts:rubato-system")
    rows = [line.split() for line in said.splitlines()[1:]]
    more = [row[0] for row in rows if not row[0].startswith("[") and row[0] not in EVERYBODYS]
    checks.check("kubectl auth can-i --list of the agents' ServiceAccount: what everybody may, and no more", rows and not more, " ".join(more))
    for verb, what in (("list", "pods"), ("get", "secrets"), ("create", "pods"), ("list", "nodes"), ("list", "profilingpolicies")):
        try:
            answer = stage.kubectl("auth", "can-i", verb, what, "--all-namespaces", f"--as={AGENT}").strip()
        except RuntimeError:
            answer = "no"
        checks.check(f"... it cannot {verb} {what}", answer == "no", answer)


class Knock:
    """The control port, as whoever reaches it sees it.  The agents' certificate is what a thief would have."""

    def __init__(self, stage):
        _, self.address = stage.ours("controller")
        secret = next(s for s in stage.get("-n", SYSTEM, "secrets")["items"] if "agent" in s["metadata"]["name"] and "tls.crt" in s.get("data", {}))
        self.files = {}
        for key in ("tls.crt", "tls.key", "ca.crt"):
            self.files[key] = stage.cluster.path(f"stolen-{key}")
            with open(self.files[key], "wb") as file:
                file.write(base64.b64decode(secret["data"][key]))
        self.name = f"rubato-controller.{SYSTEM}.svc"

    def __call__(self, token=None, certificate=True):
        """(close code, words) or the name of what ended it before."""
        context = ssl.create_default_context(cafile=self.files["ca.crt"])
        if certificate:
            context.load_cert_chain(self.files["tls.crt"], self.files["tls.key"])
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        try:
            plain = socket.create_connection((self.address, PORT), 10)
            with context.wrap_socket(plain, server_hostname=self.name) as line:
                line.settimeout(10)
                line.sendall((f"GET /v1/opamp HTTP/1.1\r\nHost: {self.name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
                              f"Sec-WebSocket-Protocol: opamp\r\n{bearer}\r\n").encode())
                return _farewell(line)
        except (ssl.SSLError, ConnectionError) as error:
            return type(error).__name__, str(error)


def _farewell(line):
    """(code, words) of the WebSocket's close frame, or ("", the answer's first line)."""
    file = line.makefile("rb")
    first = file.readline().decode("latin-1").strip()
    while file.readline() not in (b"\r\n", b""):
        pass
    while len(head := file.read(2)) == 2:
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", file.read(2))[0]
        body = file.read(size)
        if head[0] & 15 == 8:
            return struct.unpack(">H", body[:2])[0], body[2:].decode()
    return "", first


def _token(stage, where, account, audience, pod):
    return stage.kubectl("-n", where, "create", "token", account, "--audience", audience,
                         "--bound-object-kind", "Pod", "--bound-object-name", pod).strip()


def the_control_port(stage, checks):
    knock, tenant = Knock(stage), stage.containers("search")[0]
    agent, _ = stage.ours("agent")
    before = stage.metrics("controller")
    how, why = knock(certificate=False)
    closed = how in ("SSLError", "ConnectionResetError", "BrokenPipeError") or (how, why) == ("", "")
    checks.check("without a certificate nobody gets past the TLS handshake", closed, f"{how}: {why}")
    for what, token in (
            ("a stolen certificate, but no token", None),
            ("... and the API token of a tenant's pod", _token(stage, "search", "default", "https://kubernetes.default.svc", tenant.pod)),
            ("... and a tenant's token for our audience", _token(stage, "search", "default", "rubato-controller", tenant.pod)),
            ("... and an agent's token for another audience", _token(stage, SYSTEM, "rubato-agent", "somebody-else", agent.pod)),
            ("... and a token of the agents' account that is bound to no pod",
             stage.kubectl("-n", SYSTEM, "create", "token", "rubato-agent", "--audience", "rubato-controller").strip())):
        code, why = knock(token)
        checks.check(f"{what}: refused", code == 4401, f"{code} {why}")
    _another_node(stage, checks, knock)
    refused = sum(value - before.get(name, 0) for name, value in stage.metrics("controller").items()
                  if name.startswith("rubato_controller_auth_refused_total"))
    checks.check("each is counted", refused >= 5, f"{refused:g}")
    checks.check("the agent stays connected all the while", stage.until_agents("applied", 1, 5))


def _another_node(stage, checks, knock):
    """A token of a pod that was on a node which is gone."""
    spec = {"nodeName": "node-gone", "serviceAccountName": "rubato-agent", "containers": [{"name": "agent", "image": "none"}]}
    stage.server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-gone"}})
    stage.server.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gone", "namespace": SYSTEM}, "spec": spec})
    token = _token(stage, SYSTEM, "rubato-agent", "rubato-controller", "gone")
    stage.kubectl("-n", SYSTEM, "delete", "pod", "gone", "--grace-period=0", "--force")
    stage.kubectl("delete", "node", "node-gone")
    code, why = knock(token)
    checks.check("... and an agent's token of a pod and a node that are gone: refused", code == 4401, f"{code} {why}")


CASES = [people, a_ceiling_holds, the_agents_account_can_do_nothing, the_control_port]
