# SPDX-License-Identifier: Apache-2.0
"""Who an agent is, by the token of its pod and a real API server; and what `kubectl get events` tells."""

import base64
import json
import os
import socket
import ssl
import struct
import subprocess
import time

from rubato import tools
from rubato.daemons import CONTROLLER_NAME, Agent, wait_until
from rubato.kube_rig import ACCOUNT, SYSTEM, Cluster

ONE_BY_ONE = True
PATIENCE_S = 15
REFUSED = "rubato_controller_auth_refused_total"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class Tokens(Cluster):
    """A cluster with agents' pods on two nodes, and what is needed to come with a wrong token."""

    def __init__(self):
        super().__init__("tokens")
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "somebody", "namespace": SYSTEM}})
        for name, node, account in (("agent-a", "node-a", ACCOUNT), ("agent-b", "node-b", ACCOUNT),
                                    ("other", "node-a", "somebody")):
            self.schedule(SYSTEM, name, node, account)
        self.controller.start(30)

    def signed_again(self, token, **claims):
        """The token with other claims, and a signature by the cluster's own key."""
        head, body, _ = token.split(".")
        known = decode(body)
        known["kubernetes.io"] |= claims.pop("kubernetes", {})
        text = head + "." + encode(json.dumps(known | claims).encode())
        key = self.server.pki.path("sa.key")
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(),
                              capture_output=True, check=True)
        return text + "." + encode(done.stdout)

    def refused(self, reason):
        return self.controller.metrics().get(f'{REFUSED}{{reason="{reason}"}}', 0)

    def agents(self, state):
        return self.controller.metrics().get(f'rubato_controller_agents{{state="{state}"}}', 0)

    def knock(self, token):
        """Connect as an agent would.  The code and the words that the controller hangs up with."""
        context = ssl.create_default_context(cafile=f"{self.certs}/ca.crt")
        context.load_cert_chain(f"{self.certs}/fleet.crt", f"{self.certs}/fleet.key")
        plain = socket.create_connection(("127.0.0.1", self.listen), 10)
        with context.wrap_socket(plain, server_hostname=CONTROLLER_NAME) as line:
            bearer = f"Authorization: Bearer {token}\r\n" if token else ""
            line.sendall((f"GET /v1/opamp HTTP/1.1\r\nHost: {CONTROLLER_NAME}\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: opamp\r\n"
                          f"{bearer}\r\n").encode())
            return farewell(line)


def farewell(line):
    file = line.makefile("rb")
    while file.readline() not in (b"\r\n", b""):
        pass
    while len(head := file.read(2)) == 2:
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", file.read(2))[0]
        body = file.read(size)
        if head[0] & 15 == 8:
            return struct.unpack(">H", body[:2])[0], body[2:].decode()
    return 0, ""


def check_refused(checks, cluster, what, reason, token):
    before = cluster.refused(reason)
    code, why = cluster.knock(token)
    counted = wait_until(lambda: cluster.refused(reason) == before + 1, 3)
    checks.check(f"{what}: refused and counted as {reason}", code == 4401 and counted, f"{code} {why}")


def check_wrong_tokens(checks, cluster):
    good, now = cluster.token("agent-a"), int(time.time())
    head, body, signature = good.split(".")
    forged = ".".join((head, body, signature[:-6] + ("AAAAAA" if signature[-6:] != "AAAAAA" else "BBBBBB")))
    node_b = {"node": decode(cluster.token("agent-b").split(".")[1])["kubernetes.io"]["node"]}
    gone_node = {"node": {"name": "node-a", "uid": "00000000-0000-0000-0000-000000000000"}}
    for what, reason, token in (
            ("no token", "missing", ""),
            ("something that is no token", "malformed", "x.y.z"),
            ("a token whose signature is wrong", "refused", forged),
            ("a token that ended an hour ago", "expired", cluster.signed_again(good, exp=now - 3600)),
            ("a token that ended just now, which the API server still takes", "expired", cluster.signed_again(good, exp=now - 20)),
            ("a token for another audience", "audience", cluster.token("agent-a", audience="somebody-else")),
            ("a token of another ServiceAccount", "user", cluster.token("other", "somebody")),
            ("a token bound to no pod", "unbound", cluster.token()),
            ("a token that says another node than the pod's", "node_mismatch",
             cluster.signed_again(good, kubernetes=node_b)),
            ("a token of a node that was made anew", "node_mismatch",
             cluster.signed_again(good, kubernetes=gone_node))):
        check_refused(checks, cluster, what, reason, token)
    checks.check("nobody of them became an agent", cluster.agents("absent") == 2)


def check_deleted_pod(checks, cluster):
    cluster.schedule(SYSTEM, "short", "node-b", ACCOUNT)
    seen, fresh = cluster.token("short"), cluster.token("short")
    node = cluster.signed_again(seen, kubernetes={"node": {"name": "nowhere", "uid": "x"}})
    check_refused(checks, cluster, "a token of a Node that is not there", "node_unknown", node)
    check_refused(checks, cluster, "and once more, from what is kept of the review", "node_unknown", node)
    cluster.delete_pod(SYSTEM, "short")
    time.sleep(0.5)
    check_refused(checks, cluster, "a reviewed token of a pod deleted since", "pod_gone", node)
    # The API server forgets what it knows of a token after 10 s.
    check_refused(checks, cluster, "a new token of a deleted pod", "refused", fresh)


def check_right_one(checks, cluster):
    path = cluster.write_token("agent-a", cluster.token("agent-a"))
    agent = Agent(cluster.home, cluster.listen, "fleet", extra=("--token-file", path))
    agent.start()
    checks.check("the right token connects, with a certificate that names no node",
                 wait_until(lambda: cluster.agents("applied") == 1, PATIENCE_S), cluster.controller.last_lines(2))
    sessions = [r["node"] for r in cluster.controller.log_records() if r["msg"] == "agent in session"]
    checks.check("as the agent of the pod's node", sessions == ["node-a"], str(sessions))
    return agent


def check_events(checks, cluster):
    """A boost of the pod on the agent's node, 10 s long; and one that a limit cuts."""
    policy = {"apiVersion": "profiling.rubato.dev/v1alpha1", "kind": "ProfilingPolicy"}
    limit = {"apiVersion": policy["apiVersion"], "kind": "ClusterProfilingPolicy", "metadata": {"name": "limit"},
             "spec": {"limits": {"maxSampleRateHz": 49}}}
    selector = {"matchLabels": {"app": "seen"}}
    cluster.server.kubectl("-n", SYSTEM, "label", "pod", "agent-a", "app=seen")
    cluster.server.apply(limit)
    cluster.server.apply(policy | {"metadata": {"name": "boost", "namespace": SYSTEM},
                                   "spec": {"sampleRateHz": 100, "duration": "10s", "selector": selector}})

    def reasons():
        text = cluster.server.kubectl("-n", SYSTEM, "get", "events", "-o", "json")
        return {item["reason"]: item for item in json.loads(text)["items"]}
    for reason, what in (("RateRaised", "raised"), ("RateClamped", "cut by a limit"), ("RateRestored", "over")):
        there = wait_until(lambda r=reason: reasons().get(r), 20, 0.3)
        checks.check(f"kubectl get events tells that the boost is {what}",
                     bool(there) and there["involvedObject"]["name"] == "boost", there["message"] if there else "")


async def agents_are_known_by_the_tokens_of_their_pods(checks):
    try:
        cluster = Tokens()
    except tools.Missing as why:
        checks.skip("tokens with a real API server", str(why))
        return
    check_wrong_tokens(checks, cluster)
    check_deleted_pod(checks, cluster)
    agent = check_right_one(checks, cluster)
    text = cluster.controller.log_text()
    checks.check("no token is in the log", "eyJ" not in text)
    check_events(checks, cluster)
    agent.stop()
    checks.check("the controller ends well", cluster.controller.stop() == 0, cluster.controller.last_lines(2))
    checks.check("and says nothing of memory", not cluster.controller.sanitizer_report())
    cluster.server.stop()


CASES = [agents_are_known_by_the_tokens_of_their_pods]
