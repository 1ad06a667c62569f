# SPDX-License-Identifier: Apache-2.0
"""Files of Go modules, from the Go module proxy: the resources of others that the chart makes objects of."""

import json
import os
import shutil
import subprocess

from .tools import Missing

# Module: (directory, files).
RESOURCES = {
    "github.com/cert-manager/cert-manager@v1.19.1": ("deploy/crds", ["cert-manager.io_certificates.yaml", "cert-manager.io_issuers.yaml"]),
    "github.com/prometheus-operator/prometheus-operator@v0.79.2": ("example/prometheus-operator-crd", [
        f"monitoring.coreos.com_{name}.yaml" for name in ("podmonitors", "servicemonitors", "prometheusrules")]),
}


def _directory(module):
    go = shutil.which("go")
    if not go:
        raise Missing(f"{module} comes from the Go proxy, and Go is not here")
    done = subprocess.run([go, "mod", "download", "-json", module], cwd="/", capture_output=True, text=True, check=False,
                          env=os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}, stdin=subprocess.DEVNULL)
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        raise Missing(f"{module} cannot be had: {answer.get('Error', done.stderr.strip())}")
    return answer["Dir"]


def resources():
    """Paths of the CustomResourceDefinitions of cert-manager and the Prometheus Operator; raises Missing."""
    return [os.path.join(_directory(module), where, name) for module, (where, names) in RESOURCES.items() for name in names]
