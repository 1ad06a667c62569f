# SPDX-License-Identifier: Apache-2.0
"""A cluster's programs (kube-apiserver, etcd, kubelet, helm, ...): found where contributors have them, else built once into a cache.

Looked for in this order: TEST_ASSET_KUBE_APISERVER, TEST_ASSET_ETCD, TEST_ASSET_KUBECTL, ... (a file each),
KUBEBUILDER_ASSETS (a directory), the cache, and at last built by Go from e2e/tools/*/go.mod.  So are those of our own:
the programs of bench/scale, e2e/tools/spin, e2e/tools/opamp, and CoreDNS with the few plugins that it needs here."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from .daemons import REPO

# Name: (directory of the module, package in it, minutes on two cores).
_KUBERNETES = "e2e/tools/kubernetes"
TOOLS = {
    "kube-apiserver": (_KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver", 4),
    "kubectl": (_KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", 1),
    "kube-controller-manager": (_KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager", 2),
    "kubelet": (_KUBERNETES, "k8s.io/kubernetes/cmd/kubelet", 1),
    "kube-scheduler": (_KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler", 1),
    "kube-proxy": (_KUBERNETES, "k8s.io/kubernetes/cmd/kube-proxy", 1),
    "etcd": ("e2e/tools/etcd", "go.etcd.io/etcd/server/v3", 1),
    "helm": ("e2e/tools/helm", "helm.sh/helm/v3/cmd/helm", 2),
    "coredns": ("e2e/tools/coredns", ".", 2),
    "parca": ("e2e/tools/parca", "github.com/parca-dev/parca/cmd/parca", 6),
    "pyroscope": ("e2e/tools/pyroscope", "github.com/grafana/pyroscope/cmd/pyroscope", 3),
    "opamp": ("e2e/tools/opamp", ".", 1),
    "spin": ("e2e/tools/spin", ".", 1),
    "scale-fill": ("bench/scale", "./fill", 1),
    "scale-informer": ("bench/scale", "./informer", 3),
}


class Missing(Exception):
    """A tool that can neither be found nor built; says why."""


def _module_dir(name):
    return os.path.join(REPO, TOOLS[name][0])


def _sources(directory):
    """All that a build depends on, in a fixed order."""
    return sorted(os.path.join(at, file) for at, _, files in os.walk(directory) for file in files)


def _cache_dir(name):
    digest = hashlib.sha256()
    for file in _sources(_module_dir(name)):
        with open(file, "rb") as text:
            digest.update(text.read())
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(root, "rubato-e2e", digest.hexdigest()[:16])


def _found(name):
    own = os.environ.get("TEST_ASSET_" + name.upper().replace("-", "_"))
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for path in (own, assets and os.path.join(assets, name), os.path.join(_cache_dir(name), name)):
        if path and os.access(path, os.X_OK):
            return path
    return None


def _version(pattern, text):
    found = re.search(pattern, text, re.M)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _go_version():
    go = shutil.which("go")
    text = go and subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    return _version(r"^go(\d+)\.(\d+)", text or "")


def _needed_version(name):
    with open(os.path.join(_module_dir(name), "go.mod"), encoding="ascii") as text:
        return _version(r"^go (\d+)\.(\d+)", text.read())


def _stamp(name):
    """Linker flags; clients of Kubernetes read its version, and helm has a version of Kubernetes for `helm template`."""
    with open(os.path.join(REPO, _KUBERNETES, "go.mod"), encoding="ascii") as text:
        version = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", text.read())
    stamps = {}
    if TOOLS[name][0] == _KUBERNETES:
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            stamps |= {f"{package}.gitVersion": version[1], f"{package}.gitMajor": version[2],
                       f"{package}.gitMinor": version[3], f"{package}.gitTreeState": "clean"}
    elif name == "helm":
        for package in ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"):
            stamps |= {f"{package}.k8sVersionMajor": version[2], f"{package}.k8sVersionMinor": version[3]}
    # The names of functions stay in what is to be profiled.
    return " ".join([*([] if name == "spin" else ["-s -w"]), *(f"-X {variable}={value}" for variable, value in stamps.items())])


def _build(name):
    needed = _needed_version(name)
    if _go_version() < needed:
        raise Missing(f"{name} is not here, and building it needs Go {needed[0]}.{needed[1]} or later; "
                      f"set KUBEBUILDER_ASSETS to a directory that has it")
    cache = _cache_dir(name)
    os.makedirs(cache, exist_ok=True)
    print(f"building {name}, once, about {TOOLS[name][2]} min on two cores ...", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=cache) as aside:
        env = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
        # A copy, so that the build cannot write into the tree.
        module = shutil.copytree(_module_dir(name), os.path.join(aside, "module"))
        done = subprocess.run(["go", "build", "-trimpath", "-ldflags", _stamp(name),
                               "-o", os.path.join(aside, name), TOOLS[name][1]],
                              cwd=module, env=env, check=False)
        if done.returncode:
            raise Missing(f"{name} cannot be built; what go said is above")
        os.rename(os.path.join(aside, name), os.path.join(cache, name))
    print(f"built {name} in {time.monotonic() - began:.0f} s into {cache}", flush=True)
    return os.path.join(cache, name)


def find_in_time(name):
    """find(), but where time is short (BUDGET) nothing is built that may wait."""
    if os.environ.get("BUDGET") and not _found(name):
        raise Missing(f"{name} is not built yet, and BUDGET leaves no time for it; try: make e2e E2E=sinks_real")
    return find(name)


def find(name):
    """The path of the tool; raises Missing.  Who finds it being built waits for that."""
    if path := _found(name):
        return path
    cache = _cache_dir(name)
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, name + ".lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for {name}, which is being built already ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return _found(name) or _build(name)


def main():
    """Build what is named and not there, or all that the tests use: `python3 -m rubato.tools [NAME...]`."""
    for name in sys.argv[1:] or [name for name in TOOLS if not name.startswith("scale-")]:
        try:
            find(name)
        except Missing as why:
            print(why, file=sys.stderr)


if __name__ == "__main__":
    main()
