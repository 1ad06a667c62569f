# SPDX-License-Identifier: Apache-2.0
"""Tokens, certificates and connections that end while the controller runs: it goes on by itself."""

import asyncio
import json
import os
import shutil
import subprocess
import time

from rubato import netns, proxies, tools
from rubato.api_server import Pki
from rubato.client_rig import NO_ENVIRONMENT, Client
from rubato.daemons import BUILD, CONTROLLER_NAME, Daemon, free_port
from rubato.kube_rig import SYSTEM, USER, Cluster
from rubato.rig import policy
from . import until

ONE_BY_ONE, NEEDS_KERNEL = True, False
PATIENCE_S = 30
ACCOUNT_DIR = "/run/secrets/kubernetes.io/serviceaccount"
# In a mount namespace of its own, so that nothing of it is seen or left here.
IN_A_POD = f'mount -t tmpfs none /run && mkdir -p {ACCOUNT_DIR} && mount --bind "$0" {ACCOUNT_DIR} && exec "$@"'


class Rotation(Cluster):
    def controller_with(self, *more, env=None, wrap=()):
        argv = [os.path.join(BUILD, CONTROLLER_NAME), "--listen", f"127.0.0.1:{free_port()}",
                "--agent-service-account", f"{SYSTEM}:rubato-agent",
                "--tls-cert", f"{self.certs}/controller.crt", "--tls-key", f"{self.certs}/controller.key",
                "--tls-ca", f"{self.certs}/ca.crt", *more]
        self.controller = Daemon(CONTROLLER_NAME, argv, os.path.join(self.home, "controller.log"), wrap=wrap,
                                 env=NO_ENVIRONMENT | (env or {}))
        self.controller.spawn()

    def ask(self, name):
        self.apply(policy(SYSTEM, name, 50, "1h"))

    def answered(self, name):
        """Has the controller seen the policy and written its status?"""
        return bool((self.get(f"/apis/profiling.rubato.dev/v1alpha1/namespaces/{SYSTEM}/profilingpolicies/{name}")
                     or {}).get("status"))

    async def works(self, checks, sentence, name, within_s=PATIENCE_S):
        began = time.monotonic()
        good = await until(lambda: self.answered(name), within_s, 0.2)
        checks.check(sentence, good, f"{time.monotonic() - began:.1f} s" if good else self.controller.last_lines(3))

    def path(self, name):
        return os.path.join(self.home, name)


def cluster_or_skip(checks, name):
    try:
        return Rotation(name)
    except tools.Missing as why:
        checks.skip("with a real API server", str(why))
        return None


class Account:
    """What the kubelet projects into a pod: links to links, so that all files change at once."""

    def __init__(self, path, ca):
        self.path, self.ca, self.nr = path, ca, 0
        os.makedirs(path)
        for name in ("token", "ca.crt", "namespace"):
            os.symlink(f"..data/{name}", f"{path}/{name}")

    def give(self, token):
        self.nr += 1
        os.makedirs(f"{self.path}/..{self.nr}")
        shutil.copy(self.ca, f"{self.path}/..{self.nr}/ca.crt")
        for name, text in (("token", token), ("namespace", SYSTEM)):
            with open(f"{self.path}/..{self.nr}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        os.symlink(f"..{self.nr}", f"{self.path}/..new")
        os.rename(f"{self.path}/..new", f"{self.path}/..data")


def account_token(cluster):
    return cluster.server.kubectl("-n", SYSTEM, "create", "token", CONTROLLER_NAME, "--duration", "1h").strip()


async def in_a_pod(checks):
    if os.geteuid() != 0:
        checks.skip("in a pod", "a mount namespace needs root")
        return
    if not (cluster := cluster_or_skip(checks, "pod")):
        return
    account = Account(cluster.path("account"), cluster.server.pki.path("ca.crt"))
    account.give(account_token(cluster))
    port = proxies.forward("::1", cluster.server.port)
    cluster.controller_with(env={"KUBERNETES_SERVICE_HOST": "::1", "KUBERNETES_SERVICE_PORT": str(port)},
                            wrap=["unshare", "-m", "sh", "-c", IN_A_POD, account.path])
    cluster.ask("first")
    await cluster.works(checks, "without a kubeconfig it is a pod, and the API server has an IPv6 address", "first")
    cluster.server.kubectl("-n", SYSTEM, "delete", "serviceaccount", CONTROLLER_NAME)
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": CONTROLLER_NAME, "namespace": SYSTEM}})
    await asyncio.sleep(11)  # the API server remembers good tokens for 10 s
    cluster.ask("second")
    refused = await until(lambda: "HTTP 401" in cluster.controller.log_text(), PATIENCE_S)
    checks.check("a token that was revoked is refused", refused and not cluster.answered("second"))
    account.give(account_token(cluster))
    await cluster.works(checks, "the next one is read at once", "second")
    cluster.ask("third")
    await cluster.works(checks, "... and all goes on", "third")
    checks.check("no token is in the log", "eyJ" not in cluster.controller.log_text())
    checks.check("nothing of the pod is left here", not os.path.exists(ACCOUNT_DIR))
    cluster.controller.stop()
    cluster.server.stop()


def sign_for(pki, name, subject, seconds):
    """As Pki.sign(), but the certificate ends in so many seconds."""
    pki.sign(name, subject)
    with open(pki.path("short.cnf"), "w", encoding="ascii") as text:
        text.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nnew_certs_dir=%s\ndefault_md=sha256\nrand_serial=yes\n"
                   "unique_subject=no\npolicy=any\n[any]\nO=optional\nCN=supplied\n" % (pki.path("index"), pki.dir))
    with open(pki.path("index"), "w", encoding="ascii"):
        pass
    end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
    subprocess.run(["openssl", "ca", "-batch", "-config", pki.path("short.cnf"), "-cert", pki.path("ca.crt"),
                    "-keyfile", pki.path("ca.key"), "-enddate", end, "-notext", "-preserveDN",
                    "-in", pki.path(f"{name}.csr"), "-out", pki.path(f"{name}.crt")], check=True, capture_output=True)


def replace(source, target):
    shutil.copy(source, target + ".new")
    os.rename(target + ".new", target)


async def the_clients_certificate_ends(checks, cluster):
    pki = cluster.server.pki
    pki.sign("second", "/O=system:masters/CN=second")
    sign_for(pki, "first", "/O=system:masters/CN=first", 25)
    mine = {part: cluster.path(f"me.{part}") for part in ("crt", "key")}
    for part, path in mine.items():
        replace(pki.path(f"first.{part}"), path)
    replace(pki.path("ca.crt"), cluster.path("known-ca.crt"))
    cluster.controller_with("--kubeconfig", cluster.server.write_kubeconfig(
        "me", {"client-certificate": mine["crt"], "client-key": mine["key"]},
        **{"certificate-authority": cluster.path("known-ca.crt")}))
    cluster.ask("first")
    await cluster.works(checks, "a client's certificate", "first")
    replace(pki.path("second.crt"), mine["crt"])  # and its key is late
    for nr in range(40):
        cluster.ask(f"again-{nr}")
        if await until(lambda: "the last one stays" in cluster.controller.log_text(), 1):
            break
    checks.check("when it ends, both files are read, and one without the other is not taken",
                 "the client's key is not that of" in cluster.controller.log_text())
    replace(pki.path("second.key"), mine["key"])
    cluster.ask("later")
    await cluster.works(checks, "with both, all goes on", "later")
    checks.check("... as the new user", cluster.server.audit("second") != [])


async def the_servers_authority_changes(checks, cluster):
    server, other = cluster.server, Pki(cluster.path("other-pki"))
    other.sign("apiserver", "/CN=kube-apiserver", "IP:127.0.0.1")
    server.stop_server()
    for part in ("crt", "key"):
        replace(other.path(f"apiserver.{part}"), server.pki.path(f"apiserver.{part}"))
    with open(server.pki.path("ca.crt"), "a", encoding="ascii") as bundle, open(other.path("ca.crt"), encoding="ascii") as ca:
        bundle.write(ca.read())
    server.start_server()
    cluster.ask("strange")
    distrusted = await until(lambda: "certificate" in " ".join(
        record.get("said", "") for record in cluster.controller.log_records()), PATIENCE_S)
    checks.check("a server with a certificate by another authority is not trusted",
                 distrusted and not cluster.answered("strange"), cluster.controller.last_lines(1))
    replace(other.path("ca.crt"), cluster.path("known-ca.crt"))
    await cluster.works(checks, "with the new authority in the file, all goes on", "strange", 45)


async def a_plugin_gives_a_certificate(checks, cluster):
    pki = cluster.server.pki
    pki.sign("third", "/O=system:masters/CN=third")
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {}}
    for part, member in (("crt", "clientCertificateData"), ("key", "clientKeyData")):
        with open(pki.path(f"third.{part}"), encoding="ascii") as file:
            answer["status"][member] = file.read()
    with open(cluster.path("answer"), "w", encoding="ascii") as file:
        json.dump(answer, file)
    cluster.controller.stop()
    cluster.controller_with("--kubeconfig", cluster.server.write_kubeconfig("third", {"exec": {
        "apiVersion": answer["apiVersion"], "interactiveMode": "Never", "command": "cat", "args": [cluster.path("answer")]},
        "as": "boss", "as-groups": ["system:masters"], "as-user-extra": {"example.com/team": ["red"]}}))
    cluster.ask("by-plugin")
    await cluster.works(checks, "a plugin gives a certificate, and the server takes it", "by-plugin")
    acting = [record.get("impersonatedUser", {}) for record in cluster.server.audit("third")]
    checks.check("... as the user in it, who acts as another", acting and acting[-1].get("username") == "boss"
                 and acting[-1].get("extra") == {"example.com/team": ["red"]}, str(acting[-1:]))


async def certificates_rotate(checks):
    if not (cluster := cluster_or_skip(checks, "rotate")):
        return
    await the_clients_certificate_ends(checks, cluster)
    await the_servers_authority_changes(checks, cluster)
    await a_plugin_gives_a_certificate(checks, cluster)
    cluster.controller.stop()
    cluster.server.stop()


def counts(controller, name):
    return sum(value for key, value in controller.metrics().items() if key.startswith(f"rubato_controller_{name}"))


async def a_connection_dies_silently(checks):
    try:
        machine = netns.Machine()
    except netns.Missing as why:
        checks.skip("a connection that dies without a word", str(why))
        return
    client = Client("dead", listener=machine.listener())
    client.world.put("boost")
    client.world.objects["boost"]["spec"]["duration"] = "10s"
    client.spawn("--kubeconfig", client.config())
    checks.check("a server on another machine", await until(lambda: client.knows(2), PATIENCE_S),
                 client.controller.last_lines(2))
    watches, writes = counts(client.controller, "watch_errors"), counts(client.controller, "kube_failures")
    client.world.patched.clear()
    machine.cut()
    began = time.monotonic()
    client.world.put("during")
    found = {}
    while time.monotonic() - began < 50 and len(found) < 2:
        if counts(client.controller, "watch_errors") >= watches + 5:
            found.setdefault("watch", time.monotonic() - began)
        if "status cannot be written" in client.controller.log_text():
            found.setdefault("write", time.monotonic() - began)
        await asyncio.sleep(0.3)
    checks.check("all watches notice within 30 s", found.get("watch", 99) <= 30, str(found))
    checks.check("a write that began after 10 s notices within 30 s", found.get("write", 99) <= 41,
                 f"{found}, {counts(client.controller, 'kube_failures') - writes} failures")
    machine.join()
    good = await until(lambda: {"boost", "during"} <= set(client.world.patched), 45)
    checks.check("joined again, what came meanwhile is known and told", good, client.controller.last_lines(2))
    client.finish()
    machine.remove()


CASES = [in_a_pod, certificates_rotate, a_connection_dies_silently]
