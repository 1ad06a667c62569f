#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make cluster-up, make cluster-down: a real cluster of one node to try things in; see CONTRIBUTING.md.

cluster_up.py up | down.  What `up` leaves runs on; KUBECTL, HELM and CTR are scripts below build/cluster.
"""

import os
import sys
import time

from rubato import scope, tools
from rubato.daemons import BUILD
from rubato.onenode.cluster import Cluster
from rubato.onenode.images import Images
from rubato.onenode.space import Missing

HOME = os.path.join(BUILD, "cluster")
_SCRIPT = """#!/bin/sh
# {name} in the cluster's network.
export KUBECONFIG={kubeconfig}
exec nsenter --target={anchor} --net {mount} --wdns="$PWD" -- {program} "$@"
"""


def write_scripts(cluster):
    programs = {"kubectl": cluster.server.binary["kubectl"], "helm": cluster.server.binary["helm"],
                "ctr": "ctr --namespace k8s.io", "shell": "${SHELL:-/bin/sh}"}
    for name, program in programs.items():
        path = cluster.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write(_SCRIPT.format(name=name, program=program, kubeconfig=cluster.server.kubeconfig,
                                      anchor=cluster.space.anchor(), mount="--mount" if name == "ctr" else ""))
        os.chmod(path, 0o755)


def up():
    began, cluster = time.monotonic(), Cluster(HOME)
    try:
        cluster.up()
        Images(cluster).make_own()
        cluster.start_dns()
        write_scripts(cluster)
    except (Missing, tools.Missing, RuntimeError, KeyboardInterrupt) as why:
        cluster.down()
        print(f"no cluster: {why or 'interrupted'}")
        return 1
    print(f"the cluster is up after {time.monotonic() - began:.0f} s: {HOME}/kubectl, helm, ctr, shell; down: make cluster-down")
    return 0


def main(word):
    if word == "up":
        return up()
    Cluster(HOME).down()
    return 0


if __name__ == "__main__":
    scope.install()
    sys.exit(main(sys.argv[1]))
