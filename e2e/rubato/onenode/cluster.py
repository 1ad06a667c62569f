# SPDX-License-Identifier: Apache-2.0
"""The cluster: up() and down(), images, kubectl and helm."""

import os
import shutil
import subprocess

from .. import cgroups, scope, tools
from ..api_server import ApiServer
from ..daemons import wait_until
from . import node_config
from .node_config import API_SERVICE, NODE, POD_NET, SERVICE_NET, SOCKET
from .space import ADDRESS, Missing, Space, kubepods

PROGRAMS = ("containerd", "runc", "buildah", "iptables", "conntrack")
PLUGINS = "/usr/lib/cni"


def missing():
    """A sentence, or "" when nothing is (what Go can build is looked for later)."""
    if os.geteuid() != 0:
        return "it needs root"
    for program in PROGRAMS:
        if not shutil.which(program):
            return f"it needs {program}; try: make deps"
    if not os.path.isdir(PLUGINS):
        return "it needs the Debian package containernetworking-plugins; try: make deps"
    if not cgroups.usable():
        return "cgroups cannot be made here"
    if kubepods():
        return f"there is a kubelet's {kubepods()[0]} already: a cluster runs on this machine, or `make cluster-down` is due"
    return ""


class ControlPlane(ApiServer):
    """Where pods reach it, with what a kubelet's node needs; its processes outlive us."""
    TOOLS = (*ApiServer.TOOLS, "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "helm", "coredns")
    ADDRESS, PLUGINS = ADDRESS, ()
    NAMES = (f"IP:{ADDRESS},IP:127.0.0.1,IP:{API_SERVICE},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
             "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local")

    def __init__(self, space):
        self.space = space
        super().__init__(space.home, ports=(2379, 6443))
        self.pki.sign("to-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet-client")
        self.extra = (f"--kubelet-client-certificate={self.pki.path('to-kubelet.crt')}",
                      f"--kubelet-client-key={self.pki.path('to-kubelet.key')}",
                      f"--kubelet-certificate-authority={self.pki.path('ca.crt')}",
                      "--kubelet-preferred-address-types=InternalIP")

    def _spawn(self, name, argv):
        return self.space.spawn(name, [self.binary[name], *argv])

    def start_rest(self):
        pki = self.pki.path
        self._spawn("kube-controller-manager", [
            f"--kubeconfig={self.kubeconfig}", f"--service-account-private-key-file={pki('sa.key')}", f"--root-ca-file={pki('ca.crt')}",
            "--use-service-account-credentials", "--leader-elect=false", f"--cluster-cidr={POD_NET}",
            f"--bind-address={ADDRESS}", "--node-monitor-grace-period=20s", "--concurrent-deployment-syncs=2"])
        self._spawn("kube-scheduler", [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", f"--bind-address={ADDRESS}"])
        self._spawn("kube-proxy", [
            f"--kubeconfig={self.kubeconfig}", "--proxy-mode=iptables", f"--cluster-cidr={POD_NET}", f"--hostname-override={NODE}",
            "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
            f"--metrics-bind-address={ADDRESS}:10249", f"--healthz-bind-address={ADDRESS}:10256"])

    def stop(self):
        """Cluster.down() ends everything, also what another process started."""


class Cluster:
    def __init__(self, home):
        self.home, self.space = home, Space(home)
        self.server = None

    def path(self, *names):
        return os.path.join(self.home, *names)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)
        return self.path(name)

    # Up.
    def up(self):
        """Raises Missing or tools.Missing where there can be none, RuntimeError where it does not come up."""
        if why := missing():
            raise Missing(why)
        os.makedirs(self.home, exist_ok=True)
        for name in ControlPlane.TOOLS:
            tools.find(name)
        self.space.make()
        self.space.join_network()
        self._start_containerd()
        self.server = ControlPlane(self.space).start()
        self.server.start_rest()
        self._start_kubelet()
        self._ready("node to be Ready", 60, "wait", "--for=condition=Ready", "--timeout=2s", f"node/{NODE}")
        return self

    def _start_containerd(self):
        config = self._write("containerd.toml", node_config.CONTAINERD)
        self._write("cni-conf/10-pods.conflist", node_config.CNI)
        self.space.spawn("containerd", ["containerd", "--config", config])
        if not wait_until(lambda: self._ctr_answers(), 20, 0.1):
            raise RuntimeError(f"containerd does not answer: {self.space.last_lines('containerd')}")

    def _ctr_answers(self):
        try:
            return self.ctr("version")
        except RuntimeError:
            return False

    def _start_kubelet(self):
        pki = self.server.pki
        pki.sign("kubelet-serving", f"/CN={NODE}", f"IP:{ADDRESS},DNS:{NODE}")
        kubeconfig = self.server.user("kubelet", f"/O=system:nodes/CN=system:node:{NODE}")
        self._write("resolv.conf", "")
        config = self._write("kubelet.json", node_config.kubelet(self.home, pki.path))
        self.space.spawn("kubelet", [self.server.binary["kubelet"], f"--config={config}", f"--kubeconfig={kubeconfig}",
                                     f"--hostname-override={NODE}", f"--node-ip={ADDRESS}", "--root-dir=/var/lib/kubelet"])

    def _ready(self, what, timeout_s, *argv):
        def true():
            try:
                return self.kubectl(*argv)
            except RuntimeError:
                return ""
        if not wait_until(true, timeout_s, 0.5):
            raise RuntimeError(f"waited {timeout_s} s for the {what}: {self.space.last_lines('kubelet')}")

    def start_dns(self):
        """Needs its image."""
        self.server.apply(*node_config.dns())
        self.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s")

    # At work.
    def ctr(self, *argv):
        return self.space.run("ctr", "--address", SOCKET, "--namespace", "k8s.io", *argv)

    def load_image(self, archive):
        """Of an archive as `buildah push` writes it, with the name in it."""
        self.ctr("images", "import", archive)

    def load_oci(self, archive, image):
        """Of an OCI archive, under the name by which pods ask for it."""
        registry, _, rest = image.rpartition("/")
        name = image if registry else f"docker.io/library/{rest}"
        said = self.ctr("images", "import", archive)
        there = said.split()[1]
        if there != name:
            self.ctr("images", "tag", "--force", there, name)

    def kubectl(self, *argv, stdin=None, kubeconfig=None):
        """What it prints; raises RuntimeError with what it said."""
        return self._client("kubectl", kubeconfig, argv, stdin)

    def helm(self, *argv, kubeconfig=None):
        return self._client("helm", kubeconfig, argv, None)

    def begin_kubectl(self, *argv):
        """The process."""
        return subprocess.Popen([self.server.binary["kubectl"], *argv], stdout=subprocess.DEVNULL, env=self.environment())

    def environment(self, kubeconfig=None):
        """Of kubectl and helm."""
        home = self.path("helm-home")
        return os.environ | {"KUBECONFIG": kubeconfig or self.server.kubeconfig, "HELM_CACHE_HOME": home,
                             "HELM_CONFIG_HOME": home, "HELM_DATA_HOME": home}

    def _client(self, name, kubeconfig, argv, stdin):
        done = subprocess.run([self.server.binary[name], *argv], input=stdin, capture_output=True, text=True,
                              env=self.environment(kubeconfig), timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} {' '.join(argv[:6])}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    # Down.
    def down(self):
        """All of it, in whatever state, also what a killed run left.  The directory goes too."""
        self.space.end()
        shutil.rmtree(self.home, ignore_errors=True)

    def down_at_exit(self):
        scope.on_exit(self.down)
