# SPDX-License-Identifier: Apache-2.0
"""kube-apiserver, kubectl and etcd: found where contributors have them, else built once into a cache.

Looked for in this order: TEST_ASSET_KUBE_APISERVER, TEST_ASSET_ETCD, TEST_ASSET_KUBECTL (a file each),
KUBEBUILDER_ASSETS (a directory), the cache, and at last built by Go from e2e/tools/*/go.mod.  So are the programs of
bench/scale, which are our own."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time

from .daemons import REPO

MODULE = {"kube-apiserver": "e2e/tools/kubernetes", "kubectl": "e2e/tools/kubernetes", "etcd": "e2e/tools/etcd",
          "scale-fill": "bench/scale", "scale-informer": "bench/scale"}
PACKAGE = {"kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
           "kubectl": "k8s.io/kubernetes/cmd/kubectl", "etcd": "go.etcd.io/etcd/server/v3",
           "scale-fill": "./fill", "scale-informer": "./informer"}
MINUTES = {"kube-apiserver": 4, "kubectl": 1, "etcd": 1, "scale-fill": 1, "scale-informer": 3}
GO_MIN = (1, 24)


class Missing(Exception):
    """A tool that can neither be found nor built; says why."""


def _module_dir(name):
    return os.path.join(REPO, MODULE[name])


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


def _go_version():
    go = shutil.which("go")
    if not go:
        return None
    text = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _stamp(name):
    """Linker flags; clients of Kubernetes read its version."""
    flags = "-s -w"
    if not PACKAGE[name].startswith("k8s.io/"):
        return flags
    with open(os.path.join(_module_dir(name), "go.mod"), encoding="ascii") as text:
        version = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)", text.read())
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += (f" -X {package}.gitVersion={version[1]} -X {package}.gitMajor={version[2]}"
                  f" -X {package}.gitMinor={version[3]} -X {package}.gitTreeState=clean")
    return flags


def _build(name):
    version = _go_version()
    if not version or version < GO_MIN:
        raise Missing(f"{name} is not here, and building it needs Go {GO_MIN[0]}.{GO_MIN[1]} or later; "
                      f"set KUBEBUILDER_ASSETS to a directory that has it")
    cache = _cache_dir(name)
    os.makedirs(cache, exist_ok=True)
    print(f"building {name}, once, about {MINUTES[name]} min on two cores ...", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=cache) as aside:
        env = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
        # A copy, so that the build cannot write into the tree.
        module = shutil.copytree(_module_dir(name), os.path.join(aside, "module"))
        done = subprocess.run(["go", "build", "-trimpath", "-ldflags", _stamp(name),
                               "-o", os.path.join(aside, name), PACKAGE[name]],
                              cwd=module, env=env, check=False)
        if done.returncode:
            raise Missing(f"{name} cannot be built; what go said is above")
        os.rename(os.path.join(aside, name), os.path.join(cache, name))
    print(f"built {name} in {time.monotonic() - began:.0f} s into {cache}", flush=True)
    return os.path.join(cache, name)


def find(name):
    """The path of the tool; raises Missing."""
    return _found(name) or _build(name)
