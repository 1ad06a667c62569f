# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver with its etcd, on free ports of the loopback interface."""

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request

from . import scope, tools
from .daemons import REPO, free_port, wait_until

START_S = 90
AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}


def _openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Pki:
    """An authority, and certificates that it signs."""

    def __init__(self, directory, name="e2e"):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-days", "2", "-subj", f"/CN={name}", "-keyout", self.path("ca.key"), "-out", self.path("ca.crt"))
        _openssl("genrsa", "-out", self.path("sa.key"), "2048")
        _openssl("rsa", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def sign(self, name, subject, san=""):
        """Make NAME.key and NAME.crt."""
        extension = self.path(f"{name}.ext")
        with open(extension, "w", encoding="ascii") as text:
            text.write(f"subjectAltName={san}\n" if san else "basicConstraints=CA:FALSE\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", subject, "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        _openssl("x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path("ca.crt"),
                 "-CAkey", self.path("ca.key"), "-CAcreateserial", "-days", "2",
                 "-extfile", extension, "-out", self.path(f"{name}.crt"))


class Refused(Exception):
    """kubectl said no; the text is what it said."""


class ApiServer:
    TOOLS = ("etcd", "kube-apiserver", "kubectl")
    ADDRESS, NAMES = "127.0.0.1", "IP:127.0.0.1,IP:::1,DNS:localhost"

    # Alone, without a controller-manager, it makes no pods otherwise.
    PLUGINS = ("--disable-admission-plugins=ServiceAccount",)

    def __init__(self, home, extra=(), ports=None):
        self.home, self.extra = home, extra
        self.binary = {name: tools.find(name) for name in self.TOOLS}
        self.etcd_port, self.port = ports or (free_port(), free_port())
        self.url = f"https://{self.ADDRESS}:{self.port}"
        self.pki = Pki(os.path.join(home, "pki"))
        self.pki.sign("apiserver", "/CN=kube-apiserver", self.NAMES)
        self.kubeconfig = self.user("admin", "/O=system:masters/CN=admin")
        self.etcd = self.server = None
        self.audit_log = os.path.join(home, "audit.log")
        with open(os.path.join(home, "audit.json"), "w", encoding="ascii") as text:
            json.dump(AUDIT, text)
        scope.on_exit(self.stop)

    def user(self, name, subject):
        """A kubeconfig of somebody with a certificate.  Returns its path."""
        self.pki.sign(name, subject)
        return self.write_kubeconfig(name, {"client-certificate": self.pki.path(f"{name}.crt"),
                                            "client-key": self.pki.path(f"{name}.key")})

    def write_kubeconfig(self, name, user, namespace="default", **cluster):
        path = os.path.join(self.home, f"{name}.kubeconfig")
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {
                "server": self.url, "certificate-authority": self.pki.path("ca.crt")} | cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": name, "namespace": namespace}}],
        }
        with open(path, "w", encoding="ascii") as text:
            json.dump(config, text)
        return path

    def _spawn(self, name, argv):
        with open(os.path.join(self.home, f"{name}.log"), "ab") as log:
            return subprocess.Popen([self.binary[name], *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_etcd(self, *extra):
        peer = f"http://127.0.0.1:{free_port()}"
        client = f"http://127.0.0.1:{self.etcd_port}"
        self.etcd = self._spawn("etcd", [
            "--data-dir", os.path.join(self.home, "etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}", *extra])

    def start_server(self, timeout_s=START_S):
        pki = self.pki.path
        self.server = self._spawn("kube-apiserver", [
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", f"--secure-port={self.port}",
            f"--bind-address={self.ADDRESS}", f"--advertise-address={self.ADDRESS}",
            f"--cert-dir={self.home}", f"--tls-cert-file={pki('apiserver.crt')}",
            f"--tls-private-key-file={pki('apiserver.key')}", f"--client-ca-file={pki('ca.crt')}",
            f"--service-account-key-file={pki('sa.pub')}", f"--service-account-signing-key-file={pki('sa.key')}",
            "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--audit-policy-file={self.home}/audit.json", f"--audit-log-path={self.audit_log}", *self.PLUGINS, *self.extra])
        if not wait_until(lambda: self.ready() or self.server.poll() is not None, timeout_s, 0.2) or not self.ready():
            raise RuntimeError(f"kube-apiserver did not become ready; its log is in {self.home}")

    def start(self):
        self.start_etcd()
        self.start_server()
        return self

    def stop_server(self, grace_s=30):
        """SIGTERM: it stops to listen at once, and ends when its watches have.  SIGKILL after so many seconds."""
        if self.server:
            scope.end_process(self.server, grace_s)
            self.server = None

    def stop(self):
        self.stop_server()
        if self.etcd:
            scope.end_process(self.etcd, 10)
            self.etcd = None

    def _context(self):
        context = ssl.create_default_context(cafile=self.pki.path("ca.crt"))
        context.load_cert_chain(self.pki.path("admin.crt"), self.pki.path("admin.key"))
        return context

    def request(self, method, path, body=None, kind="application/json"):
        """(status, parsed answer) as the administrator."""
        data = json.dumps(body).encode() if body is not None else None
        question = urllib.request.Request(self.url + path, data, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(question, context=self._context(), timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def ready(self):
        try:
            with urllib.request.urlopen(self.url + "/readyz", context=self._context(), timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def audit(self, user):
        """What a user asked for, in order; a watch is there when it has begun, and again when it has ended."""
        with open(self.audit_log, encoding="utf-8") as text:
            records = [json.loads(line) for line in text if line.endswith("\n")]
        return [record for record in records if record["user"].get("username") == user]

    def kubectl(self, *argv, stdin=None):
        """What it prints; raises Refused with what it said."""
        done = subprocess.run([self.binary["kubectl"], "--kubeconfig", self.kubeconfig, *argv],
                              input=stdin, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise Refused(done.stderr.strip())
        return done.stdout

    def apply(self, *objects):
        return self.kubectl("apply", "--server-side", "-f", "-", stdin="\n---\n".join(map(json.dumps, objects)))

    def install_crds(self):
        self.kubectl("apply", "--server-side", "-f", os.path.join(REPO, "crds"))
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd",
                     "profilingpolicies.profiling.rubato.dev", "clusterprofilingpolicies.profiling.rubato.dev")
